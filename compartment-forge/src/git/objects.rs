//! What the mirror knows of commits: tips, locks, parents, merges.

use compartment_core::{ChannelName, Commit, LockFile, LockHash, Text};
use compartment_local::git::GitError;
use compartment_local::run::Output;
use compartment_runtime::Moved;
use sha2::{Digest, Sha256};

use super::mirror::{CHANNELS, Call, failed};
use super::trouble::Trouble;

/// What a merge of two commits would be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Merged {
    /// A tree.
    Clean(String),
    /// These files conflict; none where the two have no history in common.
    Conflict(Vec<String>),
}

impl Call<'_> {
    /// The tip of a channel's branch, as it was fetched.
    pub(super) fn tip(&self, channel: &ChannelName) -> Result<Commit, Trouble> {
        let branch = self.setup.config.branch(channel);
        let none = || Trouble::refused(&format!("{} has no branch `{branch}`", self.setup.remote));
        self.maybe_tip(channel)?.ok_or_else(none)
    }

    /// The same; nothing where there is no such branch.
    pub(super) fn maybe_tip(&self, channel: &ChannelName) -> Result<Option<Commit>, Trouble> {
        let branch = self.setup.config.branch(channel);
        let name = format!("{CHANNELS}{branch}");
        if let Some(tip) = self.of_ref(&name)? {
            return Ok(Some(tip));
        }
        // A ref that the mirror lost is not one that the remote has not.
        let theirs = format!("refs/heads/{branch}");
        let listed = self.listed(&theirs)?.unwrap_or_default();
        match listed.lines().any(|line| line.split_once('\t').is_some_and(|(_, name)| name == theirs)) {
            true => Err(unexpected("fetch", &format!("no {name}")).into()),
            false => Ok(None),
        }
    }

    fn of_ref(&self, name: &str) -> Result<Option<Commit>, Trouble> {
        let listed = self.text(&["for-each-ref", "--format=%(objectname)%00%(refname)", name])?;
        let found =
            listed.lines().filter_map(|line| line.split_once('\0')).find(|(_, listed)| *listed == name);
        found.map(|(hex, _)| commit(hex)).transpose()
    }

    /// The commit that these digits begin, where there is exactly one.
    pub(super) fn known(&self, digits: &Commit) -> Result<Option<Commit>, Trouble> {
        let name = format!("{digits}^{{commit}}");
        let found = self.call(&["rev-parse", "--verify", "--quiet", &name])?;
        match found.success() {
            true => commit(String::from_utf8_lossy(&found.stdout).trim_end()).map(Some),
            // Whatever git says of it: it is not known.
            false => Ok(None),
        }
    }

    /// The blob of the `flake.lock` in a commit or tree; nothing where that has no such file.
    pub(super) fn lock_blob(&self, tree: &str) -> Result<Option<String>, Trouble> {
        Ok(blob_in(&self.lock_entry(tree)?).map(str::to_owned))
    }

    fn lock_entry(&self, tree: &str) -> Result<String, Trouble> {
        self.text(&["ls-tree", "--full-tree", tree, "--", "flake.lock"])
    }

    /// Whether two commits have different `flake.lock` files.
    pub(super) fn locks_differ(&self, one: &Commit, other: &Commit) -> Result<bool, Trouble> {
        let args = ["diff-tree", "--quiet", &one.to_string(), &other.to_string(), "--", "flake.lock"];
        Ok(self.maybe_line(&args)?.is_none())
    }

    /// The bytes of a blob: none are converted.
    pub(super) fn bytes(&self, blob: &str) -> Result<Vec<u8>, Trouble> {
        self.ok(&["cat-file", "blob", blob])
    }

    /// The `flake.lock` in a commit or tree; nothing where there is something else of that name: a link, say, may lead
    /// anywhere.
    pub(super) fn lock_file(&self, tree: &str) -> Result<Option<LockFile>, Trouble> {
        let listed = self.lock_entry(tree)?;
        match blob_in(&listed) {
            Some(blob) => Ok(Some(LockFile::Hash(hash(&self.bytes(blob)?)))),
            None => Ok(listed.is_empty().then_some(LockFile::NoFile)),
        }
    }

    /// Where a channel is with a commit.
    pub(super) fn moved(&self, channel: &ChannelName, commit: Commit) -> Result<Moved, Trouble> {
        let lock_hash = self.lock_file(&commit.to_string())?;
        Ok(Moved { channel: channel.clone(), commit, lock_hash })
    }

    /// A commit's parents, in order.
    pub(super) fn parents(&self, of: &Commit) -> Result<Vec<Commit>, Trouble> {
        let line = self.text(&["rev-list", "--parents", "-n", "1", &of.to_string()])?;
        line.split_whitespace().skip(1).map(commit).collect()
    }

    /// The first line of a commit's message.
    pub(super) fn subject(&self, of: &Commit) -> Result<Text, Trouble> {
        let subject = self.text(&["log", "-n", "1", "--format=%s", &of.to_string()])?;
        Ok(Text::new(subject.trim_end_matches('\n')))
    }

    /// The tree of a commit.
    pub(super) fn tree(&self, of: &Commit) -> Result<String, Trouble> {
        Ok(self.text(&["rev-parse", "--verify", &format!("{of}^{{tree}}")])?.trim_end().to_owned())
    }

    /// Whether a commit is in the history of another.
    pub(super) fn is_ancestor(&self, of: &Commit, is: &Commit) -> Result<bool, Trouble> {
        let args = ["merge-base", "--is-ancestor", &is.to_string(), &of.to_string()];
        Ok(self.maybe_line(&args)?.is_some())
    }

    /// What two commits have in common.
    pub(super) fn merge_base(&self, one: &Commit, other: &Commit) -> Result<Option<Commit>, Trouble> {
        let found = self.maybe_line(&["merge-base", &one.to_string(), &other.to_string()])?;
        found.map(|hex| commit(&hex)).transpose()
    }

    /// Merges two commits, by the attributes of the first, and without anybody seeing it.
    pub(super) fn merged(&self, ours: &Commit, theirs: &Commit) -> Result<Merged, Trouble> {
        let attributes = self.attributes(ours)?;
        merged(ours, theirs, |args| self.call_with(attributes.as_deref(), args))
    }

    /// Whether two commits can be merged.
    pub(super) fn mergeable(&self, ours: &Commit, theirs: &Commit) -> Result<bool, Trouble> {
        let attributes = self.attributes(ours)?;
        let merged = merged(ours, theirs, |args| self.try_out(attributes.as_deref(), args))?;
        Ok(matches!(merged, Merged::Clean(_)))
    }

    /// Makes a commit of a tree.
    pub(super) fn commit(
        &self,
        tree: &str,
        parents: &[&Commit],
        message: &[&str],
    ) -> Result<Commit, Trouble> {
        let parents: Vec<String> = parents.iter().map(ToString::to_string).collect();
        let mut args = vec!["commit-tree", tree];
        args.extend(parents.iter().flat_map(|parent| ["-p", parent]));
        args.extend(message.iter().flat_map(|paragraph| ["-m", paragraph]));
        commit(self.text(&args)?.trim_end())
    }

    /// How many commits only the one has, and only the other.
    pub(super) fn distance(&self, one: &Commit, other: &Commit) -> Result<(u32, u32), Trouble> {
        let range = format!("{one}...{other}");
        let counts = self.text(&["rev-list", "--left-right", "--count", &range])?;
        let parsed = counts
            .trim_end()
            .split_once('\t')
            .and_then(|(left, right)| Some((left.parse().ok()?, right.parse().ok()?)));
        parsed.ok_or_else(|| unexpected("rev-list", &counts).into())
    }
}

/// Merges two commits with a call of git.
fn merged(
    ours: &Commit,
    theirs: &Commit,
    call: impl FnOnce(&[&str]) -> Result<Output, Trouble>,
) -> Result<Merged, Trouble> {
    let (ours, theirs) = (ours.to_string(), theirs.to_string());
    let args = ["merge-tree", "--write-tree", "-z", "--name-only", "--no-messages", &ours, &theirs];
    let output = call(&args)?;
    let listed = String::from_utf8_lossy(&output.stdout).into_owned();
    let mut parts = listed.split('\0').map(str::to_owned).filter(|part| !part.is_empty());
    match (output.code, parts.next()) {
        (Some(0), Some(tree)) => Ok(Merged::Clean(tree.trim_end().to_owned())),
        (Some(1), Some(_)) => Ok(Merged::Conflict(parts.collect())),
        (Some(_), None) if output.stderr.contains("unrelated histories") => Ok(Merged::Conflict(Vec::new())),
        (code, _) => Err(failed(&args, code, &output).into()),
    }
}

/// A commit that git named.
pub(super) fn commit(hex: &str) -> Result<Commit, Trouble> {
    Commit::new(hex).map_err(|_| unexpected("rev-parse", hex).into())
}

/// The hash of a lock.
pub(super) fn hash(lock: &[u8]) -> LockHash {
    LockHash::from_bytes(Sha256::digest(lock).into())
}

fn unexpected(command: &str, answer: &str) -> GitError {
    GitError::Answer { command: command.to_owned(), answer: Text::new(answer) }
}

/// The blob of a regular file in a line of `ls-tree`.
fn blob_in(listed: &str) -> Option<&str> {
    let (entry, _) = listed.split_once('\t')?;
    let mut words = entry.split(' ');
    let regular = words.next()?.starts_with("100") && words.next()? == "blob";
    words.next().filter(|_| regular)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_regular_file_is_a_lock() {
        assert_eq!(blob_in("100644 blob abc123\tflake.lock\n"), Some("abc123"));
        assert_eq!(blob_in("120000 blob abc123\tflake.lock"), None);
        assert_eq!(blob_in("040000 tree abc123\tflake.lock"), None);
        assert_eq!(blob_in(""), None);
    }
}
