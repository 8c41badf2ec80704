//! The tokens: whether the file is sound, and whether those who should have one do.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use compartment_core::{Fleet, HostId};
use compartment_log_sqlite::{FILE_NAME, Reader};
use compartment_transport_http::server::access::{Enrolment, Grant, Role, TokenFile, TokenFileError};
use compartment_transport_ssh::Inventory;

use super::{Finding, Looked};

/// How long the log is read to find out which hosts there are.
const WITHIN: Duration = Duration::from_secs(10);

/// How many are named.
const NAMED: usize = 10;

pub(super) fn tokens(looked: &Looked) -> Vec<Finding> {
    let file = looked.data.join("tokens.json");
    if !file.exists() {
        let words = "nobody has a token yet, and nobody gets in";
        return vec![Finding::doubt("tokens", words, add(looked, "--operator NAME"))];
    }
    let read = TokenFile::existing(&looked.data).and_then(|file| Ok((file.list()?, file.codes()?)));
    let (grants, codes) = match read {
        Ok(read) => read,
        Err(error) => return vec![Finding::bad("tokens", error.to_string(), remedy(&error))],
    };
    let mut found = vec![counted(&grants, looked)];
    found.extend(expired(&grants, looked));
    found.extend(codes.iter().filter_map(|code| tried_again(code, looked)));
    found.extend(hosts(&grants, looked));
    found
}

fn add(looked: &Looked, of: &str) -> String {
    format!("compartment hub token add --data {} {of}", looked.data.display())
}

/// The first thing to do about a file that is not read. What it says has more.
fn remedy(error: &TokenFileError) -> String {
    match error {
        TokenFileError::Exposed { file, .. } => {
            format!("chmod 600 {}, and see that each of its tokens is one of yours", file.display())
        }
        TokenFileError::Foreign { file, .. } => {
            format!(
                "give {} to the hub's user (chown), and see that each of its tokens is one of yours",
                file.display()
            )
        }
        TokenFileError::Newer { .. } => "update this program, and the hub".to_owned(),
        TokenFileError::Broken { .. } => {
            "put a backup in its place, or move it away and issue new tokens".to_owned()
        }
        TokenFileError::Io { .. }
        | TokenFileError::Full { .. }
        | TokenFileError::Missing(_)
        | TokenFileError::Replaced { .. }
        | TokenFileError::Random(_) => "run this as root, or as the hub's user".to_owned(),
    }
}

/// How many there are, and whether anybody may ask for something.
fn counted(grants: &[Grant], looked: &Looked) -> Finding {
    let count = |of: fn(&Role) -> bool| {
        grants.iter().filter(|grant| of(&grant.role) && !grant.has_expired(looked.now)).count()
    };
    let operators = count(|role| matches!(role, Role::Operator));
    let (readers, hosts) =
        (count(|role| matches!(role, Role::Reader)), count(|role| matches!(role, Role::Host(_))));
    let [operators_said, readers, hosts] = [(operators, "operator"), (readers, "reader"), (hosts, "host")]
        .map(|(count, of)| match count {
            1 => format!("1 {of}"),
            _ => format!("{count} {of}s"),
        });
    if operators == 0 {
        let words =
            format!("nobody may ask for operations: {hosts} and {readers} have a token, and no operator");
        return Finding::doubt("tokens", words, add(looked, "--operator NAME"));
    }
    Finding::good("tokens", format!("{operators_said}, {readers} and {hosts} have one"))
}

fn expired(grants: &[Grant], looked: &Looked) -> Option<Finding> {
    let expired = grants.iter().filter(|grant| grant.has_expired(looked.now) && grant.replaced_by.is_none());
    let names: Vec<_> = expired.map(|grant| format!("{} ({})", grant.id, grant.role)).collect();
    if names.is_empty() {
        return None;
    }
    let remedy = format!(
        "issue others where they are needed, and `compartment hub token revoke --data {}` these",
        looked.data.display()
    );
    Some(Finding::doubt("expired tokens", format!("these have ended: {}", named(&names)), remedy))
}

/// Two had the same enrolment code.
fn tried_again(code: &Enrolment, looked: &Looked) -> Option<Finding> {
    let (used, again) = (code.used?, code.tried_again_at?);
    let words = format!(
        "the code of {} was used at {} for the token {}, and tried again at {again} for another: two have had it",
        code.host, used.at, used.token
    );
    let data = looked.data.display();
    let remedy = format!(
        "unless both was you, `compartment hub token revoke --data {data} {}`, and enrol the host again; then revoke the code \
         {}, and this is not said any more",
        used.token, code.id
    );
    Some(Finding::doubt("enrolment", words, remedy))
}

/// Hosts with a token that were never heard, and hosts that were heard and have none.
fn hosts(grants: &[Grant], looked: &Looked) -> Vec<Finding> {
    let file = looked.data.join(FILE_NAME);
    let Ok(reader) = Reader::open(&file) else { return Vec::new() };
    let Some((known, heard)) = fleet(&reader) else {
        let words = "which hosts were heard is not told: the log is too long to be read for that";
        return vec![Finding::doubt("hosts", words, "see `compartment matrix`")];
    };
    let live = grants.iter().filter(|grant| !grant.has_expired(looked.now));
    let with_token: BTreeSet<_> = live.filter_map(|grant| host(&grant.role)).cloned().collect();
    let mut found = Vec::new();
    let silent: Vec<_> = with_token.difference(&heard).map(ToString::to_string).collect();
    if !silent.is_empty() {
        let remedy = "start their agents, and see `compartment doctor agent` there; revoke the tokens of hosts that are gone";
        found.push(Finding::doubt(
            "hosts",
            format!("these have a token and were never heard: {}", named(&silent)),
            remedy,
        ));
    }
    // Those need none.
    let inventory = looked.serve.inventory.as_deref().and_then(|file| Inventory::read(file).ok());
    let over_ssh = |host: &HostId| {
        inventory.as_ref().is_some_and(|inventory| inventory.hosts().iter().any(|of| of.id == *host))
    };
    let without: Vec<_> = heard
        .intersection(&known)
        .filter(|host| !with_token.contains(*host) && !over_ssh(host))
        .map(ToString::to_string)
        .collect();
    if !without.is_empty() {
        let remedy = "enrol them anew (`compartment hub token add --host NAME --enrol URL`), or `compartment matrix host \
                      remove` them; name the file of those over SSH with --inventory";
        found.push(Finding::doubt(
            "hosts",
            format!("these were heard, and have no token: {}", named(&without)),
            remedy,
        ));
    }
    if found.is_empty() && !with_token.is_empty() {
        found.push(Finding::good(
            "hosts",
            "each host that has a token was heard, and each that was heard has one",
        ));
    }
    found
}

const fn host(role: &Role) -> Option<&HostId> {
    match role {
        Role::Host(host) => Some(host),
        Role::Operator | Role::Reader => None,
    }
}

/// The hosts of the fleet, and those that were heard. Nothing where the log is too long.
fn fleet(reader: &Reader) -> Option<(BTreeSet<HostId>, BTreeSet<HostId>)> {
    let (until, mut fleet) = (Instant::now() + WITHIN, Fleet::new());
    for (count, record) in reader.records().enumerate() {
        // A record that is not understood changes nothing here; what is damaged was said of the log.
        if let Ok(record) = record {
            fleet.apply(&record);
        }
        if count % 1000 == 999 && Instant::now() > until {
            return None;
        }
    }
    let hosts = || fleet.indices().map(|index| fleet.at_index(index));
    let known: BTreeSet<_> = hosts().map(|host| host.id().clone()).collect();
    let of_log = hosts().filter(|host| host.last_heard().is_some()).map(|host| host.id().clone());
    let heard = of_log.chain(reader.heard().into_iter().map(|(host, _)| host)).collect();
    Some((known, heard))
}

fn named(names: &[String]) -> String {
    let first = names.iter().take(NAMED).map(String::as_str).collect::<Vec<_>>().join(", ");
    match names.len().saturating_sub(NAMED) {
        0 => first,
        more => format!("{first} and {more} more"),
    }
}
