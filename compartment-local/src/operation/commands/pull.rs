//! The pull that nobody had to configure.

use std::path::Path;
use std::time::Duration;

use super::{Dir, Step, no_questions};
use crate::git::{QUIETLY, attentive};

/// What was fetched: a ref of our own, so that it is exactly this branch whatever the clone is configured to fetch.
const PULLED: &str = "refs/compartment/pulled";

/// Whether git would take it for a branch: not an option, not a pattern, not a way to another ref.
pub(super) fn is_branch(name: &str) -> bool {
    let bad = |c: char| c.is_control() || c.is_whitespace() || "~^:?*[\\".contains(c);
    !name.starts_with('-')
        && !name.contains(bad)
        && !name.contains("..")
        && !name.contains("@{")
        && name.split('/').all(|part| {
            !part.is_empty() && !part.starts_with('.') && !part.ends_with('.') && !part.ends_with(".lock")
        })
}

/// In a clone of the agent's own: fetch the branch, make the clone exactly that, and bring the submodules that are there to the
/// commits that it names, from where it says that they are; a reset leaves them where they were.
///
/// Nothing is done in a folder that is not the top of a checkout of its own: the reset would take what belongs to
/// somebody else. It works alike where the branch was moved by force, where the clone is shallow, where files were changed and
/// where commits were made in it.
pub(super) fn default(remote: &str, branch: &str, checkout: &Path, limit: Duration) -> Vec<Step> {
    let refspec = format!("+refs/heads/{branch}:{PULLED}");
    let fetch = ["fetch", "--no-tags", "--no-recurse-submodules", "--", remote, &refspec];
    let reset = ["reset", "--hard", PULLED, "--"];
    let addresses = ["submodule", "--quiet", "sync", "--recursive"];
    let submodules = ["submodule", "--quiet", "update", "--recursive", "--force", "--checkout"];
    let step = |name: &str, args: &[&str]| Step {
        name: format!("git {name}"),
        argv: ["git"].iter().chain(&QUIETLY).chain(args).map(|&argument| argument.to_owned()).collect(),
        limit,
        dir: Dir::Checkout(checkout.to_owned()),
        // What a look sees differ, a reset takes back.
        env: attentive(),
    };
    with_care(vec![
        step("fetch", &fetch),
        step("reset", &reset),
        step("submodule", &addresses),
        step("submodule", &submodules),
    ])
}

/// git asks nobody, and speaks the language in which its complaints are understood.
pub(super) fn with_care(mut steps: Vec<Step>) -> Vec<Step> {
    for step in &mut steps {
        step.env.extend(no_questions());
        step.env.push(("LC_ALL".to_owned(), "C".to_owned()));
    }
    steps
}
