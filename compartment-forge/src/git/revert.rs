//! Takes a merge back: the commit that `git revert -m 1` makes.

use std::time::Instant;

use compartment_core::{ChannelName, Commit};
use compartment_runtime::{Moved, RevertOrder};

use super::look::Known;
use super::merge::in_files;
use super::mirror::Call;
use super::objects::Merged;
use super::order::{self, Made};
use super::push::Pushed;
use super::trouble::Trouble;

impl Call<'_> {
    /// Reverts, once.
    pub(super) fn revert(
        &self,
        known: &mut Known,
        order: &RevertOrder,
        until: Instant,
    ) -> Result<Moved, Trouble> {
        let channel = &order.merge.channel;
        self.fetch(Some(channel))?;
        known.fetched = true;
        let tip = self.tip(channel)?;
        let pr = &order.merge.pr;
        let branch = self.setup.config.branch(channel);
        let short = order.merge.commit.short();
        let Some(merge) = self.known(&order.merge.commit)? else {
            let words = format!("{} has no commit {short}, the merge of {pr}", self.setup.remote);
            return Err(Trouble::refused(&words));
        };
        if let Some(done) = self.revert_made(channel, order, &merge)? {
            return self.moved(channel, done);
        }
        if !self.is_ancestor(&tip, &merge)? {
            let words = format!("`{branch}` does not hold the merge of {pr}, {short}, any more");
            return Err(Trouble::refused(&words));
        }
        let parents = self.parents(&merge)?;
        let [before, _, ..] = &parents[..] else {
            return Err(Trouble::refused(&format!(
                "{pr} came to `{branch}` without a merge commit, as {short}: its commits are to be reverted by hand, \
                 with `git revert`"
            )));
        };
        let tree = match self.without(&tip, &merge, before)? {
            Merged::Clean(tree) => tree,
            Merged::Conflict(files) => {
                let words = format!(
                    "what came after the merge of {pr} builds upon it{}: it is to be reverted by hand, nothing was \
                     changed",
                    in_files(&files)
                );
                return Err(Trouble::refused(&words));
            }
        };
        if tree == self.tree(&tip)? {
            let words = format!("`{branch}` has nothing of {pr} left to revert");
            return Err(Trouble::refused(&words));
        }
        let subject = format!("Revert \"{}\"", self.subject(&merge)?);
        let message = [&*subject, &body(&merge, before), &order::trailers(&order.op, &order.by)];
        let commit = self.commit(&tree, &[&tip], &message)?;
        match self.push(channel, &tip, &commit, until)? {
            Pushed::Done => self.moved(channel, commit),
            Pushed::Rejected(reason) => {
                self.rejected(channel, &tip, &reason, |call| call.revert_made(channel, order, &merge))
            }
        }
    }

    /// The tip without what a merge brought: the three-way merge that `git revert` makes, with the merge as base and
    /// what was before it as the other side.
    fn without(&self, tip: &Commit, merge: &Commit, before: &Commit) -> Result<Merged, Trouble> {
        let inverse = self.commit(&self.tree(before)?, &[merge], &["inverse"])?;
        self.merged(tip, &inverse)
    }

    /// The revert that this order made before, if it did.
    fn revert_made(
        &self,
        channel: &ChannelName,
        order: &RevertOrder,
        merge: &Commit,
    ) -> Result<Option<Commit>, Trouble> {
        let Some(tip) = self.maybe_tip(channel)? else { return Ok(None) };
        let says = format!("This reverts commit {merge}, reversing\n");
        let is = |made: &Made| {
            made.parents.len() == 1
                && made.made_by(&order.op)
                && made.subject.starts_with("Revert \"")
                && made.body.starts_with(&says)
        };
        let made = order::first_parents(self, &tip)?.into_iter().find(is);
        Ok(made.map(|made| made.commit))
    }
}

/// What git says of the revert of a merge.
fn body(merge: &Commit, before: &Commit) -> String {
    format!("This reverts commit {merge}, reversing\nchanges made to {before}.")
}
