//! What people change by hand, right before the word that tells it (W1).

use super::{Checkout, Content, Dirt, Law, Parts, Run};
use crate::choice::Choice;
use crate::few::Few;
use crate::word::{Part, Told};

impl Run {
    /// Any checkout: dirt only where the host speaks of dirt (W5).
    pub(super) fn any_checkout(&self, law: &Law, choice: &mut impl Choice) -> Checkout {
        let commit = choice.pick(law.commits()) as u8;
        let dirty = self.spoke && choice.pick(2) == 1;
        let lock = if dirty { law.any_lock(choice) } else { law.lock(commit) };
        Checkout { commit, dirty, lock }
    }

    /// The checkout as a heartbeat finds it: where it says something else than what was so, people changed that.
    pub(super) fn hands_on_checkout(
        &mut self,
        law: &Law,
        told: &Told,
        choice: &mut impl Choice,
    ) -> Option<()> {
        let before = self.checkout;
        let mut after = before;
        match told.commit {
            Part::Told(commit) => after.commit = commit,
            Part::Unreadable => after.commit = choice.pick(law.commits()) as u8,
            Part::Silent => {}
        }
        match told.dirty {
            Part::Told(dirty) => after.dirty = dirty,
            Part::Unreadable => after.dirty = choice.pick(2) == 1,
            Part::Silent => {}
        }
        if let (Part::Told(lock), Part::Silent) = (told.lock, told.commit)
            && lock != after.lock
        {
            // Another lock, and no commit: another commit, or an edit.
            let commits = (0..law.commits() as u8).filter(|commit| law.lock(*commit) == lock);
            let mut ways: Vec<_> = commits.collect();
            if after.dirty {
                ways.push(after.commit);
            }
            after.commit = *ways.get(choice.pick(ways.len()))?;
        }
        after.lock = match (told.lock, after.dirty) {
            (Part::Told(lock), true) => lock,
            (Part::Told(lock), false) if lock == law.lock(after.commit) => lock,
            (Part::Told(_), false) => return None,
            (Part::Silent | Part::Unreadable, false) => law.lock(after.commit),
            (Part::Unreadable, true) => law.any_lock(choice),
            (Part::Silent, true) if (after.commit, after.dirty) == (before.commit, before.dirty) => {
                before.lock
            }
            (Part::Silent, true) => law.any_lock(choice),
        };
        if after != before {
            if !law.hands {
                return None;
            }
            choice.note(|| format!("people change the checkout to {after}"));
        }
        self.checkout = after;
        Some(())
    }

    /// Before a switch begins people may change the checkout, where its result can tell what they changed.
    pub(super) fn hands_before_switch(&mut self, law: &Law, choice: &mut impl Choice) -> Parts {
        let can = law.switch_tells;
        if !law.hands || can == Parts::NONE || choice.pick(2) == 0 {
            return Parts::NONE;
        }
        let before = self.checkout;
        let commit = if can.commit { choice.pick(law.commits()) as u8 } else { before.commit };
        let dirty = if can.dirt { choice.pick(2) == 1 } else { before.dirty };
        let lock = if dirty { law.any_lock(choice) } else { law.lock(commit) };
        let after = Checkout { commit, dirty, lock };
        let mut owes =
            Parts { commit: after.commit != before.commit, dirt: after.dirty != before.dirty, lock: false };
        if owes == Parts::NONE && after.lock != before.lock {
            owes.lock = true;
        }
        if after != before {
            choice.note(|| format!("people change the checkout to {after}, which the switch will tell"));
            self.checkout = after;
        }
        owes
    }

    /// What a switch pushes is built from a checkout elsewhere, of which nothing is known. Dirt that would be the first
    /// of which a word speaks is told by the result.
    pub(super) fn elsewhere(&self, law: &Law, choice: &mut impl Choice) -> (Checkout, Parts) {
        let commit = choice.pick(law.commits()) as u8;
        let dirty = (self.spoke || law.switch_tells.dirt) && choice.pick(2) == 1;
        let lock = if dirty { law.any_lock(choice) } else { law.lock(commit) };
        (Checkout { commit, dirty, lock }, Parts { dirt: dirty && !self.spoke, ..Parts::NONE })
    }

    /// What runs, as a heartbeat finds it: where it says something else than what was so, people changed that.
    pub(super) fn hands_on_system(&mut self, law: &Law, told: &Told, choice: &mut impl Choice) -> Option<()> {
        let may_be_dirty = if law.pushed { self.told_dirt } else { self.dirt_since };
        let dirt = if may_be_dirty { Dirt::Dirty } else { Dirt::Clean };
        // That it cannot be read tells of no change (W1); what runs then, nobody knows.
        if told.path == Part::Unreadable {
            self.unread = true;
            return Some(());
        }
        if !told.names_system() {
            return Some(());
        }
        self.unread = false;
        if self.slot().dirt == Dirt::Open {
            self.slot().dirt = dirt;
        }
        let (path, label) = (told.path.told(), told.label);
        let mut runs = self.slots[usize::from(self.runs)];
        let free = path.is_none_or(|path| self.slots.iter().all(|slot| slot.name != Some(path)));
        let is_it = match path {
            Some(path) => {
                let same = label.is_none() || runs.label.is_none() || runs.label == label;
                runs.name == Some(path) || (runs.name.is_none() && free && same)
            }
            None => label.is_none_or(|label| runs.label.is_none_or(|is| is == label)),
        };
        // A system that was not named yet may be another one by now: a result that was made before can tell that.
        let other = is_it && law.late > 0 && path.is_some() && runs.name.is_none() && choice.pick(2) == 1;
        if !is_it || other {
            if !law.hands {
                return None;
            }
            let fits = |slot: &Content| match path {
                Some(path) => slot.name == Some(path) || (slot.name.is_none() && free),
                None => slot.label.is_none_or(|is| Some(is) == label),
            };
            // What a success left and did not name, the next word names; and a word that names what the last one
            // named tells of no change (W1, K4). Unless a commit that was told since says otherwise, or a result that
            // was made before this word names another path.
            let there = path.and_then(|path| self.slots.iter().find(|slot| slot.name == Some(path)));
            let is = there.and_then(|slot| slot.label).or(label);
            let explains = self.claimed.is_none_or(|claimed| is.is_none_or(|is| is == claimed));
            if path.is_some() && (other || (explains && (self.unplaced.is_some() || self.named == path))) {
                // One such change at a time: a second one would hide that the first was never told.
                if law.late == 0 || self.untold.is_some() {
                    return None;
                }
                self.untold = Some((self.unplaced.unwrap_or(self.named_at), self.moment));
            }
            let before = self.runs;
            // It may be what a switch left: in this run it is.
            let left = label.map_or(self.left, |label| self.left >> label & 1) > 0;
            let dirt = if left { Dirt::Dirty } else { dirt };
            let slot = self.other_slot(dirt, choice, fits)?;
            if slot == before {
                return None;
            }
            self.run_slot(slot);
            if let Some(operation) = &mut self.operation {
                operation.active = false;
                operation.hands |= operation.seen && path.is_some();
            }
            if path.is_none() {
                // Its commit tells that what was named runs no more.
                self.named = None;
            }
            runs = self.slots[usize::from(self.runs)];
            choice.note(|| "people change what runs".to_string());
        }
        if runs.name.is_none() {
            self.slot().name = path;
        }
        if path.is_none() && self.unplaced.is_some() {
            self.claimed = label.or(self.claimed);
        }
        if path.is_some() {
            (self.unplaced, self.named, self.named_at, self.claimed) = (None, path, self.moment, None);
        }
        self.tell_label(self.runs, label)
    }

    /// A system that fits: one that was there, or a new one.
    pub(super) fn other_slot(
        &mut self,
        dirt: Dirt,
        choice: &mut impl Choice,
        fits: impl Fn(&Content) -> bool,
    ) -> Option<u8> {
        let used = self.used_slots();
        let mut there = Few::new();
        for (slot, content) in self.slots.iter().enumerate() {
            if used[slot] && fits(content) {
                there.push(slot as u8);
            }
        }
        let new = fits(&Content::default());
        match there.get(choice.pick(there.count() + usize::from(new))) {
            Some(slot) => Some(slot),
            None if new => self.fresh(dirt),
            None => None,
        }
    }

    /// A word tells the commit that a system says it was built from. One path has one content, so it never says two.
    pub(super) fn tell_label(&mut self, slot: u8, label: Option<u8>) -> Option<()> {
        let Some(label) = label else { return Some(()) };
        let told_dirt = self.told_dirt;
        let content = &mut self.slots[usize::from(slot)];
        if content.label.is_some_and(|is| is != label) {
            return None;
        }
        content.label = Some(label);
        // Built here from another commit, it has had a build of which nothing is known but that label.
        let seen = content.built == 0 || content.built >> label & 1 == 1;
        if content.dirt != Dirt::Dirty && (seen || !told_dirt) {
            content.built |= 1 << label;
        }
        Some(())
    }
}

impl std::fmt::Display for Checkout {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let letter = |n: u8| char::from(b'a' + n);
        write!(f, "commit {}", letter(self.commit))?;
        if self.dirty {
            write!(f, ", dirty, with lock {}", self.lock + 1)?;
        }
        Ok(())
    }
}
