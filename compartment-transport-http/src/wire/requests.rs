//! Requests of operators, and the answer for each host.

use std::collections::BTreeSet;

use compartment_core::event::{RequestKind, Target};
use compartment_core::{Ask, Commit, HostId, OpId, PrId, Timestamp};
use serde::{Deserialize, Serialize};

use super::optional_object;

/// The most hosts that one request may name.
pub const HOSTS_LIMIT: usize = 100_000;

/// What is asked for, on one host or many, or of the repository.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "server", derive(schemars::JsonSchema), schemars(rename = "Request"))]
#[serde(deny_unknown_fields)]
pub struct Body {
    /// What for.
    pub kind: RequestKind,
    /// On which hosts.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub hosts: Vec<HostId>,
    /// On every known host.
    #[serde(default, skip_serializing_if = "is_false")]
    pub all: bool,
    /// Also on hosts that are offline: they have until the request lapses. Otherwise those are not asked, where
    /// many are.
    #[serde(default, skip_serializing_if = "is_false")]
    pub offline_too: bool,
    /// The operation's id, where it is one: asking again with the same id is the same request.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub op: Option<OpId>,
    /// For a switch: also where the checkout is not proven to be the desired one.
    #[serde(default, skip_serializing_if = "is_false")]
    pub force: bool,
    /// For a rollback: where to. Each host's own default target unless said.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "optional_object")]
    pub to: Option<Target>,
    /// For a stop: which operation.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub target_op: Option<OpId>,
    /// For a merge or a revert: which pull request.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pr: Option<PrId>,
    /// For a merge: the head that the asker was shown.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expected_head: Option<Commit>,
    /// When the request lapses; five minutes from now unless said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deliver_by: Option<Timestamp>,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks for it")]
const fn is_false(flag: &bool) -> bool {
    !*flag
}

/// What became of a request.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "server", derive(schemars::JsonSchema))]
pub struct Answers {
    /// An answer for each host that was named, in that order; or the one for the repository.
    pub operations: Vec<Answer>,
}

/// What became of a request on one host.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "server", derive(schemars::JsonSchema))]
pub struct Answer {
    /// The host; nothing for the repository.
    pub host: Option<HostId>,
    /// The operation. It waits to be delivered, durably, unless it was refused.
    pub op: OpId,
    /// Why it was refused.
    pub refused: Option<Refused>,
}

/// Why a request was refused.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[error("{message}")]
#[cfg_attr(feature = "server", derive(schemars::JsonSchema), schemars(rename = "Refusal"))]
pub struct Refused {
    /// For programs: `busy`, `not-current`, `unknown-host` and so on.
    pub code: String,
    /// For people.
    pub message: String,
}

/// A request contradicts itself.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Contradiction {
    /// It names no host.
    #[error("`{0}` is for hosts: give `hosts`, or `all`")]
    NoHost(RequestKind),
    /// It names hosts, and should not.
    #[error("`{0}` is not for hosts: leave out `hosts` and `all`")]
    Hosts(RequestKind),
    /// It says which hosts twice.
    #[error("give either `hosts` or `all`")]
    Both,
    /// It names too many hosts.
    #[error("at most {HOSTS_LIMIT} hosts can be asked at once")]
    TooMany,
    /// A field is needed.
    #[error("`{kind}` needs `{field}`")]
    Missing {
        /// What was asked for.
        kind: RequestKind,
        /// The field.
        field: &'static str,
    },
    /// A field says something about another request.
    #[error("`{field}` has no meaning for `{kind}`")]
    Needless {
        /// What was asked for.
        kind: RequestKind,
        /// The field.
        field: &'static str,
    },
    /// One id for many operations, or one generation for many hosts.
    #[error("`{0}` is of one host: ask each host by itself")]
    OfOne(&'static str),
}

impl Body {
    /// A request on these hosts.
    #[must_use]
    pub fn on(kind: RequestKind, hosts: Vec<HostId>) -> Self {
        Self {
            kind,
            hosts,
            all: false,
            offline_too: false,
            op: None,
            force: false,
            to: None,
            target_op: None,
            pr: None,
            expected_head: None,
            deliver_by: None,
        }
    }

    /// What is asked for, an ask for each operation, on each host once. `known` are the hosts that `all` means.
    ///
    /// # Errors
    /// [`Contradiction`].
    pub fn asks(&self, known: Vec<HostId>) -> Result<Vec<Ask>, Contradiction> {
        self.check()?;
        let of_host = |host: HostId| match self.kind {
            RequestKind::Pull => Some(Ask::Pull { host }),
            RequestKind::Switch => Some(Ask::Switch { host, force: self.force }),
            RequestKind::Test => Some(Ask::Test { host }),
            RequestKind::Rollback => Some(Ask::Rollback { host, to: self.to.clone() }),
            RequestKind::Stop => Some(Ask::Stop { host, target_op: self.target_op.clone()? }),
            RequestKind::Refresh => Some(Ask::Refresh { host: Some(host) }),
            RequestKind::MergePr | RequestKind::RevertPr => None,
        };
        match (self.kind, &self.pr, self.expected_head) {
            (RequestKind::MergePr, Some(pr), Some(expected_head)) => {
                Ok(vec![Ask::MergePr { pr: pr.clone(), expected_head }])
            }
            (RequestKind::RevertPr, Some(pr), _) => Ok(vec![Ask::RevertPr { pr: pr.clone() }]),
            (RequestKind::Refresh, ..) if self.hosts.is_empty() && !self.all => {
                Ok(vec![Ask::Refresh { host: None }])
            }
            _ => {
                let hosts = if self.all { known } else { self.hosts.clone() };
                let mut named = BTreeSet::new();
                let once = hosts.into_iter().filter(|host| named.insert(host.clone()));
                Ok(once.filter_map(of_host).collect())
            }
        }
    }

    fn check(&self) -> Result<(), Contradiction> {
        use RequestKind::{MergePr, Refresh, RevertPr, Rollback, Stop, Switch};
        let kind = self.kind;
        let fields = [
            ("force", self.force, kind == Switch, false),
            ("to", self.to.is_some(), kind == Rollback, false),
            ("target_op", self.target_op.is_some(), kind == Stop, kind == Stop),
            ("pr", self.pr.is_some(), matches!(kind, MergePr | RevertPr), matches!(kind, MergePr | RevertPr)),
            ("expected_head", self.expected_head.is_some(), kind == MergePr, kind == MergePr),
        ];
        for (field, given, sensible, needed) in fields {
            match (given, sensible, needed) {
                (true, false, _) => return Err(Contradiction::Needless { kind, field }),
                (false, _, true) => return Err(Contradiction::Missing { kind, field }),
                (true, true, _) | (false, _, false) => {}
            }
        }
        let on_hosts = self.all || !self.hosts.is_empty();
        match (matches!(kind, MergePr | RevertPr), on_hosts) {
            (true, true) => return Err(Contradiction::Hosts(kind)),
            (false, false) if kind != Refresh => return Err(Contradiction::NoHost(kind)),
            (true | false, _) => {}
        }
        if self.all && !self.hosts.is_empty() {
            return Err(Contradiction::Both);
        }
        if self.hosts.len() > HOSTS_LIMIT {
            return Err(Contradiction::TooMany);
        }
        let many = self.all || self.hosts.len() > 1;
        let of_one =
            [("op", self.op.is_some()), ("to", self.to.is_some()), ("target_op", self.target_op.is_some())];
        match of_one.into_iter().find(|(_, given)| many && *given) {
            Some((field, _)) => Err(Contradiction::OfOne(field)),
            None => Ok(()),
        }
    }

    /// Whether many hosts are asked, of which some may be offline.
    #[must_use]
    pub fn is_batch(&self) -> bool {
        self.all || self.hosts.len() > 1
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asks(json: &str) -> Result<Vec<Ask>, String> {
        let body: Body = serde_json::from_str(json).map_err(|error| error.to_string())?;
        body.asks(vec![HostId::new("a").unwrap(), HostId::new("b").unwrap()])
            .map_err(|error| error.to_string())
    }

    #[test]
    fn a_request_is_an_ask_for_each_host() {
        assert_eq!(asks(r#"{"kind":"pull","hosts":["a"]}"#).unwrap().len(), 1);
        assert_eq!(asks(r#"{"kind":"pull","hosts":["b","a","b"]}"#).unwrap().len(), 2, "each once");
        assert_eq!(asks(r#"{"kind":"switch","all":true,"force":true}"#).unwrap().len(), 2);
        assert_eq!(asks(r#"{"kind":"refresh"}"#).unwrap(), [Ask::Refresh { host: None }]);
        assert_eq!(
            asks(r#"{"kind":"rollback","hosts":["a"],"to":{"number":7,"path":null}}"#).unwrap().len(),
            1
        );
        assert_eq!(asks(r#"{"kind":"stop","hosts":["a"],"target_op":"o"}"#).unwrap().len(), 1);
        assert_eq!(asks(r#"{"kind":"merge-pr","pr":7,"expected_head":"abc1234"}"#).unwrap().len(), 1);
        assert_eq!(asks(r#"{"kind":"revert-pr","pr":7}"#).unwrap().len(), 1);
    }

    #[test]
    fn a_request_that_contradicts_itself_is_refused() {
        for (json, why) in [
            (r#"{"kind":"pull"}"#, "`pull` is for hosts: give `hosts`, or `all`"),
            (r#"{"kind":"pull","all":true,"hosts":["a"]}"#, "give either `hosts` or `all`"),
            (r#"{"kind":"pull","all":true,"force":true}"#, "`force` has no meaning for `pull`"),
            (r#"{"kind":"stop","hosts":["a"]}"#, "`stop` needs `target_op`"),
            (r#"{"kind":"merge-pr","pr":7}"#, "`merge-pr` needs `expected_head`"),
            (
                r#"{"kind":"revert-pr","pr":7,"all":true}"#,
                "`revert-pr` is not for hosts: leave out `hosts` and `all`",
            ),
            (r#"{"kind":"pull","all":true,"op":"o"}"#, "`op` is of one host: ask each host by itself"),
        ] {
            assert_eq!(asks(json), Err(why.to_owned()), "{json}");
        }
        assert!(asks(r#"{"kind":"explode","all":true}"#).is_err());
        assert!(
            asks(r#"{"kind":"pull","all":true,"forse":true}"#).unwrap_err().contains("unknown field `forse`")
        );
    }
}
