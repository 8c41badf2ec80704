//! The generations that ran before, and what late words say of them (CORE-006 K4).

use alloc::sync::Arc;

use super::built::{Built, longer};
use super::system::{Place as At, how};
use super::taking::{Said, Taking};
use crate::checkout::Revision;
use crate::commit::Commit;
use crate::event::{Kind, RunningSystem};
use crate::generation::{Generation, HISTORY, Named, TestVerdict};

impl Taking<'_> {
    /// A success whose place is open tells another commit of a path than is known: what that path was built from is
    /// not known (K4).
    pub(super) fn disagrees(&mut self, (path, _): &At, (revision, _): &Built) {
        let differs = |known: &Generation| {
            let commits = known.commit().zip(revision.commit.as_ref());
            known.path.is_some() && known.path == *path && commits.is_some_and(|(a, b)| !a.same(b))
        };
        self.unbind(differs);
    }

    /// A word that is heard late may have come between another one, which named no path, and the path that was named
    /// first since: what that was built from is not known (K4).
    pub(super) fn out_of_order(&mut self, (path, _): &At, told: Option<Commit>) {
        // Of the path that was named, it has to tell the commit itself: it may be this word's own.
        let same = |known: &Generation| {
            (path.is_none() || known.path == *path)
                && known.commit().zip(told.as_ref()).is_some_and(|(a, b)| a.same(b))
        };
        self.unbind(|known| known.by_order && !same(known));
    }

    /// A success whose place is open or earlier tells more digits of the commit of a path: what is compared next is
    /// compared with them.
    pub(super) fn lengthen(&mut self, (path, _): &At, said: &Said<'_>) {
        for known in self.host.generations_mut() {
            if let Some(commit) =
                known.revision.commit.filter(|_| known.path.is_some() && known.path == *path)
            {
                let commit = Some(longer(longer(commit, said.commit), said.system.commit));
                let revision = Revision { commit, ..Revision::clone(&known.revision) };
                known.revision = self.caches.revisions.intern(revision);
            }
        }
    }

    /// A word that is heard late, or of a failure, tells which commit a system says of itself: that is so at any time
    /// (K3).
    pub(super) fn label(&mut self, system: &RunningSystem) {
        let (Some(path), Some(commit)) = (&system.path, system.commit) else { return };
        let Some((revision, named)) = self.ran_at(path).and_then(|ran| self.own_word(ran, commit)) else {
            return;
        };
        let revision = self.caches.revisions.intern(revision);
        for known in self.host.generations_mut().filter(|known| known.path.as_ref() == Some(path)) {
            (known.revision, known.named) = (Arc::clone(&revision), named);
        }
    }

    /// What these generations were built from is not known.
    fn unbind(&mut self, which: impl Fn(&Generation) -> bool) {
        let unknown = self.unknown();
        for known in self.host.generations_mut().filter(|known| which(known)) {
            known.by_order = false;
            known.revision = self.caches.revisions.intern(unknown.clone());
            known.named = Named::Nobody;
        }
    }

    /// A success that is not the newest word on what runs still tells what its path was built from: where that is
    /// new, it ran before. Where a rollback leads has run before it, whatever it was built from.
    pub(super) fn ran_before(
        &mut self,
        kind: Kind,
        (path, number): At,
        (revision, named): Built,
        counts: bool,
    ) {
        let is_news = match &path {
            Some(path) => self.ran_at(path).is_none() && (counts || kind == Kind::Rollback),
            // A commit that is told without a path later may be this one's.
            None => {
                named == Named::BySystem && !revision.dirt.is_clean() && !self.is_known_unclean(&revision)
            }
        };
        if !is_news {
            return;
        }
        let at = self.at;
        let generation = Generation {
            revision: self.caches.revisions.intern(revision),
            path,
            number,
            at,
            how: how(kind),
            named,
            tests: TestVerdict::None,
            by_order: false,
            deployment: 0,
        };
        self.host.past_mut().remember(generation);
        self.one_entry_a_generation();
    }

    /// Whether the history knows a system without a path, of this commit, which is not known to be clean.
    fn is_known_unclean(&self, revision: &Revision) -> bool {
        let alike = |ran: &Generation| {
            let commits = ran.commit().zip(revision.commit.as_ref());
            ran.path.is_none() && !ran.revision.dirt.is_clean() && commits.is_some_and(|(a, b)| a.same(b))
        };
        self.host.earlier().iter().any(alike)
    }

    /// One entry a generation, and at most [`HISTORY`] of them. What an earlier entry of the running generation
    /// knows is kept.
    pub(super) fn one_entry_a_generation(&mut self) {
        let (Some(running), Some(past)) = (&mut self.host.deployment, &mut self.host.past) else { return };
        let now = &mut running.generation;
        past.earlier.retain(|earlier| {
            // A clean build may have been given the number of one that was not.
            let renumbered =
                now.path.is_none() && now.revision.dirt.is_clean() && !earlier.revision.dirt.is_clean();
            if renumbered || !earlier.is(now) {
                return true;
            }
            now.number = now.number.or(earlier.number);
            if now.path.is_none() {
                now.path.clone_from(&earlier.path);
            }
            if now.tests == TestVerdict::None {
                now.tests = earlier.tests;
            }
            false
        });
        while past.earlier.len() >= HISTORY {
            // The oldest, but that a path has said two commits is not forgotten as long as there is another (K3).
            let gone =
                past.earlier.iter().position(|ran| ran.named != Named::Contradicted).unwrap_or_default();
            let gone = past.earlier.remove(gone);
            past.forget(&gone);
        }
    }
}
