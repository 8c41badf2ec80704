//! The remote's desired state: a commit, and the lock file of that same commit.

use compartment_core::event::{Comparison, Observation};
use compartment_core::{ChannelName, Commit, LockFile, Text};

use super::checkout::Checkout;
use super::lock;
use crate::git::{Git, GitError};

/// Where the desired state is looked for.
#[derive(Clone, Debug)]
pub struct Source {
    /// The remote's name or address.
    pub remote: String,
    /// Its branch.
    pub branch: String,
    /// The channel that the branch stands for.
    pub channel: ChannelName,
}

impl Source {
    /// `main` of `origin`, for the channel `main`.
    #[must_use]
    pub fn origin_main() -> Self {
        Self { remote: "origin".into(), branch: "main".into(), channel: ChannelName::main() }
    }

    /// The branch's tip and its lock, together from one commit. Objects are fetched only when the tip is
    /// new, into a ref of our own (`refs/compartment/…`): no branch, tag or `FETCH_HEAD` moves.
    pub(super) fn look(
        &self,
        git: &Git,
        checkout: &Checkout,
    ) -> Result<(Commit, Option<LockFile>), GitError> {
        let mut tip = self.tip(git, checkout)?;
        if let Ok(lock_file) = lock::of_commit(git, checkout.path(), tip) {
            return Ok((tip, lock_file));
        }
        let (ours, theirs) = (format!("refs/compartment/desired/{}", self.branch), self.reference());
        let refspec = format!("+{theirs}:{ours}");
        let fetch = ["fetch", "--quiet", "--no-tags", "--no-prune", "--no-write-fetch-head"];
        let rest = ["--no-recurse-submodules", "--refmap=", "--", &self.remote, &refspec];
        let fetched = git.ok(checkout.path(), &[&fetch[..], &rest[..]].concat());
        // Another look may have fetched it meanwhile; then this fetch failed over its lock, and no matter.
        if let Ok(lock_file) = lock::of_commit(git, checkout.path(), tip) {
            return Ok((tip, lock_file));
        }
        fetched?;
        // The branch was replaced between question and fetch: what was fetched is what it is now.
        tip = commit_of(&git.line(checkout.path(), &["rev-parse", "--verify", &ours])?, "rev-parse")?;
        Ok((tip, lock::of_commit(git, checkout.path(), tip)?))
    }

    fn reference(&self) -> String {
        format!("refs/heads/{}", self.branch)
    }

    fn tip(&self, git: &Git, checkout: &Checkout) -> Result<Commit, GitError> {
        let reference = self.reference();
        let args = ["ls-remote", "--quiet", "--", &self.remote, &reference];
        let listed = git.line(checkout.path(), &args)?;
        match tip_in(&listed, &reference) {
            Some(hex) => commit_of(hex, "ls-remote"),
            None => Err(GitError::Failed {
                command: "ls-remote".into(),
                code: None,
                error: Text::new(&format!("the remote has no branch {}", self.branch)),
            }),
        }
    }
}

/// The commit of exactly this ref: `ls-remote` lists every ref that ends so.
fn tip_in<'a>(listed: &'a str, reference: &str) -> Option<&'a str> {
    listed
        .lines()
        .filter_map(|line| line.split_once('\t'))
        .find(|(_, name)| *name == reference)
        .map(|(hex, _)| hex)
}

fn commit_of(hex: &str, command: &str) -> Result<Commit, GitError> {
    Commit::new(hex).map_err(|_| GitError::Answer { command: command.into(), answer: Text::new(hex) })
}

/// Counts the commits between two, where the history is whole.
pub(super) fn compare(
    git: &Git,
    checkout: &Checkout,
    host_commit: Commit,
    desired_commit: Commit,
) -> Result<Option<Observation>, GitError> {
    if git.line(checkout.path(), &["rev-parse", "--is-shallow-repository"])? != "false" {
        return Ok(None);
    }
    let range = format!("{host_commit}...{desired_commit}");
    let counts = git.line(checkout.path(), &["rev-list", "--left-right", "--count", &range])?;
    Ok(counts_in(&counts).map(|(ahead, behind)| {
        Observation::CommitsCompared(Comparison { host_commit, desired_commit, behind, ahead })
    }))
}

fn counts_in(counts: &str) -> Option<(u32, u32)> {
    let (left, right) = counts.split_once('\t')?;
    Some((left.parse().ok()?, right.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_very_branch_counts() {
        let listed = "aaaa\trefs/heads/x/refs/heads/main\nbbbb\trefs/heads/main";
        assert_eq!(tip_in(listed, "refs/heads/main"), Some("bbbb"));
        assert_eq!(tip_in("", "refs/heads/main"), None);
    }

    #[test]
    fn counts() {
        assert_eq!(counts_in("1\t3"), Some((1, 3)));
        assert_eq!(counts_in("1 3"), None);
    }
}
