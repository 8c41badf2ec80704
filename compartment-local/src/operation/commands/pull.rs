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

/// Has git read every file, and not trust what its index remembers: an attribute or a filter that is gone leaves files as it had
/// made them. An index that is older than all of them proves nothing to git. A time of 0 would be none.
const DISTRUST: &str = "touch -t 197001020000 \"$(git rev-parse --git-path index)\" && exec \"$@\"";

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
    let step_by = |before: &[&str], name: &str, args: &[&str]| Step {
        name: format!("git {name}"),
        argv: before
            .iter()
            .chain(&["git"])
            .chain(&QUIETLY)
            .chain(args)
            .map(|&argument| argument.to_owned())
            .collect(),
        limit,
        dir: Dir::Checkout(checkout.to_owned()),
        // What a look sees differ, a reset takes back.
        env: attentive(),
    };
    let step = |name: &str, args: &[&str]| step_by(&[], name, args);
    with_care(vec![
        step("fetch", &fetch),
        step("reset", &reset),
        // By the attributes that are there now.
        step_by(&["/bin/sh", "-c", DISTRUST, "sh"], "reset", &reset),
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
