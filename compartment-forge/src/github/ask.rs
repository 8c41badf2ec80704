//! What is sent to GitHub, as data.

use compartment_core::{Actor, Commit, OpId};
use serde::Serialize;

/// How many rows a page has: the most that GitHub gives.
pub(super) const PER_PAGE: usize = 100;

/// What most answers are.
const JSON: &str = "application/vnd.github+json";

/// The bytes of a file as they are, however many: as JSON there are none above 1 MB. GitHub also knows this type with
/// `+json`, which it is not: what stands between may take the file for JSON, and write it anew.
const RAW: &str = "application/vnd.github.raw";

/// The trailer that holds the operation's id, as in what the git forge makes.
const OPERATION: &str = "Compartment-Operation";

/// A request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct ApiRequest {
    /// Path and query, from the address of the API.
    pub(super) path: String,
    /// The form that the answer is to have.
    pub(super) accept: &'static str,
    /// What a merge is to be; nothing where this only reads.
    pub(super) merge: Option<Merge>,
}

/// The body of a merge.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(super) struct Merge {
    /// The head that it must have: GitHub refuses it where somebody pushed since.
    pub(super) sha: String,
    merge_method: &'static str,
    commit_message: String,
}

/// A repository, as its paths name it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct RepositoryPaths {
    /// Of the API.
    repository: String,
}

impl RepositoryPaths {
    /// The repository of that name.
    pub(super) fn new(owner: &str, name: &str) -> Self {
        Self { repository: format!("/repos/{}/{}", segment(owner), segment(name)) }
    }

    /// The tip of a branch.
    pub(super) fn tip(&self, branch: &str) -> ApiRequest {
        self.read(&format!("/git/ref/{}", segment(&format!("heads/{branch}"))))
    }

    /// `flake.lock` as a commit has it.
    pub(super) fn lock(&self, commit: &Commit) -> ApiRequest {
        ApiRequest { accept: RAW, ..self.read(&format!("/contents/flake.lock?ref={commit}")) }
    }

    /// A page of the open pull requests, the oldest first: what is opened meanwhile comes last.
    pub(super) fn pulls(&self, page: usize) -> ApiRequest {
        self.read(&format!("/pulls?state=open&sort=created&direction=asc&per_page={PER_PAGE}&page={page}"))
    }

    /// One pull request.
    pub(super) fn pull(&self, number: u64) -> ApiRequest {
        self.read(&format!("/pulls/{number}"))
    }

    /// A page of the files that a pull request changes.
    pub(super) fn files(&self, number: u64, page: usize) -> ApiRequest {
        self.read(&format!("/pulls/{number}/files?per_page={PER_PAGE}&page={page}"))
    }

    /// How far a commit is from another one. The list of what lies between is of no use here.
    pub(super) fn compare(&self, base: &str, head: &Commit) -> ApiRequest {
        self.read(&format!("/compare/{}...{head}?per_page=1", segment(base)))
    }

    /// A commit by itself.
    pub(super) fn commit(&self, commit: &Commit) -> ApiRequest {
        self.read(&format!("/git/commits/{commit}"))
    }

    /// A merge commit of exactly this head.
    pub(super) fn merge(&self, number: u64, head: &Commit, op: &OpId, by: &Actor) -> ApiRequest {
        let merge = Merge { sha: head.to_string(), merge_method: "merge", commit_message: trailers(op, by) };
        ApiRequest { merge: Some(merge), ..self.read(&format!("/pulls/{number}/merge")) }
    }

    fn read(&self, path: &str) -> ApiRequest {
        ApiRequest { path: format!("{}{path}", self.repository), accept: JSON, merge: None }
    }
}

/// Who asked for it, and under which id, as git knows to say it.
fn trailers(op: &OpId, by: &Actor) -> String {
    format!("{}\nRequested-by: {by}", trailer(op))
}

/// The line of a message that names the operation.
fn trailer(op: &OpId) -> String {
    format!("{OPERATION}: {op}")
}

/// Whether a commit was made by this operation and no other, as the end of its message says.
pub(super) fn made_by(message: &str, op: &OpId) -> bool {
    let end = message.trim_end().rsplit("\n\n").next().unwrap_or_default();
    let mut named = end.lines().filter(|line| line.starts_with(OPERATION)).map(str::trim_end);
    named.next() == Some(&trailer(op)) && named.next().is_none()
}

/// Text as one segment of a path: whatever is not plainly a name is written in hex digits.
fn segment(text: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~');
    text.bytes().fold(String::with_capacity(text.len()), |mut out, byte| {
        match plain(byte) {
            true => out.push(char::from(byte)),
            false => out.push_str(&format!("%{byte:02X}")),
        }
        out
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place() -> RepositoryPaths {
        RepositoryPaths::new("o", "config.nix")
    }

    fn commit() -> Commit {
        Commit::new(&"ab".repeat(20)).unwrap()
    }

    #[test]
    fn what_is_asked_for() {
        let sha = "ab".repeat(20);
        for (ask, path) in [
            (place().tip("main"), "/repos/o/config.nix/git/ref/heads%2Fmain".to_owned()),
            (place().tip("rel/24 ü"), "/repos/o/config.nix/git/ref/heads%2Frel%2F24%20%C3%BC".to_owned()),
            (place().lock(&commit()), format!("/repos/o/config.nix/contents/flake.lock?ref={sha}")),
            (
                place().pulls(3),
                "/repos/o/config.nix/pulls?state=open&sort=created&direction=asc&per_page=100&page=3"
                    .to_owned(),
            ),
            (place().pull(42), "/repos/o/config.nix/pulls/42".to_owned()),
            (place().files(42, 1), "/repos/o/config.nix/pulls/42/files?per_page=100&page=1".to_owned()),
            (
                place().compare("abcdef1", &commit()),
                format!("/repos/o/config.nix/compare/abcdef1...{sha}?per_page=1"),
            ),
        ] {
            assert_eq!(ask.path, path);
            assert_eq!(ask.merge, None);
            let raw = path.contains("/contents/");
            assert_eq!(ask.accept, if raw { RAW } else { JSON });
        }
    }

    #[test]
    fn a_merge_names_its_head_and_who_asked_for_it() {
        let (op, by) = (OpId::new("op-1").unwrap(), Actor::new("mba").unwrap());
        let ask = place().merge(42, &commit(), &op, &by);
        assert_eq!(ask.path, "/repos/o/config.nix/pulls/42/merge");
        assert_eq!(
            serde_json::to_string(&ask.merge).unwrap(),
            format!(
                r#"{{"sha":"{}","merge_method":"merge","commit_message":"Compartment-Operation: op-1\nRequested-by: mba"}}"#,
                "ab".repeat(20)
            )
        );
    }

    #[test]
    fn a_commit_names_the_operation_that_made_it() {
        let op = OpId::new("op-1").unwrap();
        let message = format!("Merge pull request #1\n\n{}\n", trailers(&op, &Actor::new("mba").unwrap()));
        assert!(made_by(&message, &op));
        assert!(!made_by(&message, &OpId::new("op-11").unwrap()));
        assert!(!made_by(&format!("{message}\nAnd more."), &op), "it is not at the end");
        assert!(!made_by(&format!("{message}Compartment-Operation: op-2"), &op));
        assert!(!made_by(&message, &OpId::new("op").unwrap()));
    }

    #[test]
    fn no_name_leads_elsewhere() {
        assert_eq!(RepositoryPaths::new("../x", "a?b#c").pull(1).path, "/repos/..%2Fx/a%3Fb%23c/pulls/1");
    }
}
