//! What GitHub's answers mean.

use compartment_core::{Commit, Text};
use serde::Deserialize;
use serde::de::DeserializeOwned;

use super::ask::PER_PAGE;

/// The tip of a branch.
#[derive(Debug, Deserialize)]
pub(super) struct Tip {
    object: Object,
}

#[derive(Debug, Deserialize)]
struct Object {
    #[serde(rename = "type")]
    kind: String,
    sha: Commit,
}

impl Tip {
    /// The commit that the branch is at.
    pub(super) fn commit(&self) -> Result<Commit, Text> {
        match self.object.kind.as_str() {
            "commit" => Ok(self.object.sha),
            other => Err(Text::new(&format!("the branch is at a {other}, and not at a commit"))),
        }
    }
}

/// A pull request, as a list or an answer of its own has it.
#[derive(Clone, Debug, Deserialize)]
pub(super) struct Pull {
    /// Its number.
    pub(super) number: u64,
    /// Its title.
    pub(super) title: String,
    /// Where people look at it.
    #[serde(rename = "html_url")]
    pub(super) url: String,
    /// Open, or not any more.
    pub(super) state: State,
    /// What it would bring.
    pub(super) head: Side,
    /// Where to.
    pub(super) base: Side,
    /// Its labels.
    #[serde(default)]
    pub(super) labels: Vec<Label>,
    /// Whether it was merged; only in an answer of its own.
    #[serde(default)]
    pub(super) merged: bool,
    /// The merge; while it is open, what a merge would be.
    pub(super) merge_commit_sha: Option<Commit>,
    /// By whom it was merged.
    pub(super) merged_by: Option<User>,
    /// Whether there is no conflict, once GitHub has tried.
    mergeable: Option<bool>,
    /// What it says besides.
    #[serde(default)]
    mergeable_state: MergeState,
}

/// Whether a pull request is open.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum State {
    /// It can be merged.
    Open,
    /// It was merged, or given up.
    Closed,
}

/// One side of a pull request.
#[derive(Clone, Debug, Deserialize)]
pub(super) struct Side {
    /// The branch.
    #[serde(rename = "ref")]
    pub(super) branch: String,
    /// Its commit.
    pub(super) sha: Commit,
}

/// A label.
#[derive(Clone, Debug, Deserialize)]
pub(super) struct Label {
    /// Its name.
    pub(super) name: String,
}

impl AsRef<str> for Label {
    fn as_ref(&self) -> &str {
        &self.name
    }
}

/// Somebody at GitHub.
#[derive(Clone, Debug, Deserialize)]
pub(super) struct User {
    /// Their name there.
    pub(super) login: String,
}

/// What GitHub says of a merge that it was not asked for yet.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum MergeState {
    /// It conflicts.
    Dirty,
    /// Required checks are red or not done, or reviews are missing.
    Blocked,
    /// It must first have what the branch has.
    Behind,
    /// It is a draft.
    Draft,
    /// Nothing speaks against it.
    Clean,
    /// A check is red or not done that is not required.
    Unstable,
    /// As clean, with hooks that run before.
    HasHooks,
    /// It has not tried yet, or says what is not known here.
    #[default]
    #[serde(other)]
    Unknown,
}

impl Pull {
    /// Whether it would be merged; nothing while GitHub does not know.
    pub(super) fn mergeable(&self) -> Option<bool> {
        match (self.mergeable, self.mergeable_state) {
            (Some(false), _)
            | (_, MergeState::Dirty | MergeState::Blocked | MergeState::Behind | MergeState::Draft) => {
                Some(false)
            }
            (_, MergeState::Unknown) | (None, _) => None,
            (Some(true), MergeState::Clean | MergeState::Unstable | MergeState::HasHooks) => Some(true),
        }
    }

    /// Whether what it says of a merge stays so until somebody pushes; nothing while it says nothing. Checks and
    /// reviews come without a push.
    pub(super) fn settled(&self) -> Option<bool> {
        self.mergeable()?;
        Some(match self.mergeable_state {
            MergeState::Dirty | MergeState::Clean | MergeState::HasHooks => true,
            MergeState::Blocked
            | MergeState::Behind
            | MergeState::Draft
            | MergeState::Unstable
            | MergeState::Unknown => false,
        })
    }

    /// Why a merge is not even tried, as what follows "it": some tokens may merge where nobody else could.
    pub(super) fn obstacle(&self) -> Option<&'static str> {
        match self.mergeable_state {
            MergeState::Dirty => Some("conflicts with its branch"),
            MergeState::Blocked => {
                Some("is blocked by GitHub: required checks are red or not done, or reviews are missing")
            }
            MergeState::Behind => Some("is behind its branch, which wants it to be up to date"),
            MergeState::Draft => Some("is a draft"),
            MergeState::Clean | MergeState::Unstable | MergeState::HasHooks | MergeState::Unknown => None,
        }
    }
}

/// A file that a pull request changes.
#[derive(Debug, Deserialize)]
pub(super) struct File {
    filename: String,
    previous_filename: Option<String>,
}

impl File {
    /// Whether it is, or was, the lock.
    pub(super) fn is_lock(&self) -> bool {
        self.filename == "flake.lock" || self.previous_filename.as_deref() == Some("flake.lock")
    }
}

/// How far two commits are apart.
#[derive(Debug, Deserialize)]
pub(super) struct Apart {
    /// Commits of the head that the base lacks.
    pub(super) ahead_by: u32,
    /// Commits of the base that the head lacks.
    pub(super) behind_by: u32,
    merge_base_commit: Named,
}

#[derive(Debug, Deserialize)]
struct Named {
    sha: Commit,
}

impl Apart {
    /// Where the two parted.
    pub(super) const fn merge_base(&self) -> Commit {
        self.merge_base_commit.sha
    }
}

/// A commit by itself.
#[derive(Debug, Deserialize)]
pub(super) struct Made {
    /// Its message.
    pub(super) message: String,
}

/// A merge that was made.
#[derive(Debug, Deserialize)]
pub(super) struct Merged {
    /// The merge commit.
    pub(super) sha: Commit,
}

/// Reads an answer. The error names the field.
pub(super) fn read<T: DeserializeOwned>(body: &[u8]) -> Result<T, Text> {
    serde_json::from_slice(body)
        .map_err(|error| Text::new(&format!("GitHub answers what is not understood here: {error}")))
}

/// Whether another page follows this one.
pub(super) fn goes_on(rows: usize, link: Option<&str>) -> bool {
    rows >= PER_PAGE || link.is_some_and(|link| link.contains("rel=\"next\""))
}

/// What GitHub says that is wrong, in its own words.
pub(super) fn complaint(status: u16, body: &[u8]) -> Text {
    #[derive(Deserialize)]
    struct Problem {
        message: String,
        #[serde(default)]
        errors: Vec<Detail>,
    }
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Detail {
        Words(String),
        Field { message: Option<String>, field: Option<String>, code: Option<String> },
    }
    let words = match serde_json::from_slice::<Problem>(body) {
        Ok(Problem { message, errors }) => {
            let details = errors.into_iter().filter_map(|detail| match detail {
                Detail::Words(words) | Detail::Field { message: Some(words), .. } => Some(words),
                Detail::Field { message: None, field, code } => {
                    let parts: Vec<_> = [field, code].into_iter().flatten().collect();
                    (!parts.is_empty()).then(|| parts.join(" "))
                }
            });
            std::iter::once(message).chain(details).collect::<Vec<_>>().join(": ")
        }
        Err(_) => "it does not say why".to_owned(),
    };
    Text::cut(&format!("GitHub says {status}: {words}"), 500)
}

#[cfg(test)]
mod tests {
    use super::*;

    const SHA: &str = "6dcb09b5b57875f334f61aebed695e2e4193db5e";

    fn pull(more: &str) -> Pull {
        let side = format!(r#"{{"ref":"main","sha":"{SHA}","label":"o:main"}}"#);
        let json = format!(
            r#"{{"number":1,"title":"t","html_url":"https://github.com/o/r/pull/1","state":"open",
                "head":{side},"base":{side}{more}}}"#
        );
        read(json.as_bytes()).unwrap()
    }

    #[test]
    fn the_tip_of_a_branch_is_a_commit() {
        let tip = |kind: &str| {
            let json = format!(r#"{{"ref":"refs/heads/x","object":{{"type":"{kind}","sha":"{SHA}"}}}}"#);
            read::<Tip>(json.as_bytes()).unwrap().commit()
        };
        assert_eq!(tip("commit").unwrap().to_string(), SHA);
        assert_eq!(tip("tag").unwrap_err().as_str(), "the branch is at a tag, and not at a commit");
    }

    #[test]
    fn what_github_says_of_a_merge() {
        for (mergeable, state, meaning, tried) in [
            ("true", "clean", Some(true), true),
            ("true", "unstable", Some(true), true),
            ("true", "has_hooks", Some(true), true),
            ("true", "blocked", Some(false), false),
            ("true", "behind", Some(false), false),
            ("true", "draft", Some(false), false),
            ("false", "dirty", Some(false), false),
            ("false", "unknown", Some(false), true),
            ("null", "unknown", None, true),
            ("true", "something_new", None, true),
            ("null", "clean", None, true),
        ] {
            let pull = pull(&format!(r#","mergeable":{mergeable},"mergeable_state":"{state}""#));
            assert_eq!(pull.mergeable(), meaning, "{mergeable} {state}");
            assert_eq!(pull.obstacle().is_none(), tried, "{mergeable} {state}");
        }
        assert_eq!(pull("").mergeable(), None, "as a list has it");
    }

    #[test]
    fn a_missing_field_is_named() {
        let error = read::<Pull>(br#"{"number":1}"#).unwrap_err();
        assert!(error.as_str().contains("missing field `title`"), "{error}");
        let error = read::<Merged>(br#"{"sha":"x","merged":true}"#).unwrap_err();
        assert!(error.as_str().starts_with("GitHub answers what is not understood here: "), "{error}");
    }

    #[test]
    fn pages_go_on_while_they_are_full_or_say_so() {
        assert!(goes_on(100, None));
        assert!(!goes_on(99, None));
        assert!(goes_on(30, Some(r#"<https://x/?page=2>; rel="next", <https://x/?page=9>; rel="last""#)));
        assert!(!goes_on(30, Some(r#"<https://x/?page=1>; rel="first""#)));
    }

    #[test]
    fn complaints_are_githubs_own() {
        for (body, words) in [
            (r#"{"message":"Base branch was modified."}"#, "GitHub says 405: Base branch was modified."),
            (
                r#"{"message":"Validation Failed","errors":[{"code":"invalid","field":"sha"},"and more",{"code":"custom","message":"No."}]}"#,
                "GitHub says 405: Validation Failed: sha invalid: and more: No.",
            ),
            ("<html>", "GitHub says 405: it does not say why"),
        ] {
            assert_eq!(complaint(405, body.as_bytes()).as_str(), words);
        }
    }

    #[test]
    fn a_lock_that_is_renamed_is_changed() {
        let files: Vec<File> = read(
            br#"[{"filename":"a/flake.lock"},{"filename":"b","previous_filename":"flake.lock"},{"filename":"flake.lock"}]"#,
        )
        .unwrap();
        assert_eq!(files.iter().map(File::is_lock).collect::<Vec<_>>(), [false, true, true]);
    }
}
