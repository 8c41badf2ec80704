//! Merges a pull request: a merge commit of exactly the head that was shown.

use std::time::Instant;

use compartment_core::{ChannelName, Commit, PrId, Text};
use compartment_runtime::{MergeOrder, Moved};

use super::look::{Found, Known};
use super::mirror::Call;
use super::objects::Merged;
use super::order::{self, Made};
use super::push::Pushed;
use super::trouble::Trouble;

impl Call<'_> {
    /// Merges, once.
    pub(super) fn merge(
        &self,
        known: &mut Known,
        order: &MergeOrder,
        until: Instant,
    ) -> Result<Moved, Trouble> {
        self.fetch(None)?;
        known.fetched = true;
        let remote = &self.setup.remote;
        let found = self.pull_request(&order.pr)?;
        // Whoever merged it may have deleted its branch since.
        let channels = match &found {
            Some((_, found)) => vec![&found.channel],
            None => self.channels(),
        };
        for channel in channels {
            if let Some(done) = self.merge_made(channel, order)? {
                return self.moved(channel, done);
            }
        }
        let Some((tip, found)) = found else {
            let words = format!("the pull request {} is not open at {remote}: nothing was merged", order.pr);
            return Err(Trouble::refused(&words));
        };
        let Found { pr, channel, head, title } = found;
        if !head.same(&order.expected_head) {
            let expected = order.expected_head;
            let words = format!(
                "the head of {pr} is {} and not {}, which was shown: nothing was merged",
                head.short(),
                expected.short()
            );
            return Err(Trouble::refused(&words));
        }
        let branch = self.setup.config.branch(&channel);
        if self.is_ancestor(&tip, &head)? {
            return Err(Trouble::refused(&format!("{pr} is merged into `{branch}` already")));
        }
        let tree = match self.merged(&tip, &head)? {
            Merged::Clean(tree) => tree,
            Merged::Conflict(files) => {
                let words = format!("{pr} {}: nothing was merged", conflicts(branch, &files));
                return Err(Trouble::refused(&words));
            }
        };
        let message = [&*subject(&pr, &title), &order::trailers(&order.op, &order.by)];
        let commit = self.commit(&tree, &[&tip, &head], &message)?;
        match self.push(&channel, &tip, &commit, until)? {
            Pushed::Done => self.moved(&channel, commit),
            Pushed::Rejected(reason) => {
                self.rejected(&channel, &tip, &reason, |call| call.merge_made(&channel, order))
            }
        }
    }

    /// The merge that this order made before, if it did.
    fn merge_made(&self, channel: &ChannelName, order: &MergeOrder) -> Result<Option<Commit>, Trouble> {
        let Some(tip) = self.maybe_tip(channel)? else { return Ok(None) };
        let is = |made: &Made| {
            matches!(&made.parents[..], [_, head] if head.same(&order.expected_head))
                && made.made_by(&order.op)
        };
        let made = order::first_parents(self, &tip)?.into_iter().find(is);
        Ok(made.map(|made| made.commit))
    }

    /// A push was refused. It may have been because an earlier one of the same order arrived at last.
    pub(super) fn rejected(
        &self,
        channel: &ChannelName,
        tip: &Commit,
        reason: &str,
        made: impl Fn(&Self) -> Result<Option<Commit>, Trouble>,
    ) -> Result<Moved, Trouble> {
        let branch = self.setup.config.branch(channel);
        let nothing = "and nothing was changed";
        // Where it lets nobody in, it cannot be asked either.
        if self.fetch(Some(channel)).is_ok() {
            if let Some(commit) = made(self)? {
                return self.moved(channel, commit);
            }
            if self.tip(channel)? != *tip {
                let words =
                    format!("somebody pushed to `{branch}` meanwhile; that stays, {nothing} ({reason})");
                return Err(Trouble::refused(&words));
            }
        }
        let words = format!("{} does not let `{branch}` be moved, {nothing}: {reason}", self.setup.remote);
        Err(Trouble::refused(&words))
    }
}

/// The first line of a merge's message.
fn subject(pr: &PrId, title: &Text) -> String {
    match title.is_empty() {
        true => format!("Merge {pr}"),
        false => format!("Merge {pr}: {title}"),
    }
}

/// What is in the way of a merge that conflicts, as what follows its name.
pub(super) fn conflicts(branch: &str, files: &[String]) -> String {
    format!("conflicts with `{branch}`{}", in_files(files))
}

/// Where a conflict is, in words.
pub(super) fn in_files(files: &[String]) -> String {
    const SHOWN: usize = 5;
    match files {
        [] => ": they have no history in common".to_owned(),
        files if files.len() <= SHOWN => format!(" in {}", files.join(", ")),
        files => format!(" in {} and {} more", files[..SHOWN].join(", "), files.len() - SHOWN),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn conflicts_name_the_first_files() {
        let files: Vec<String> = (1..=7).map(|n| format!("f{n}")).collect();
        assert_eq!(in_files(&files[..1]), " in f1");
        assert_eq!(in_files(&files), " in f1, f2, f3, f4, f5 and 2 more");
        assert_eq!(in_files(&[]), ": they have no history in common");
    }
}
