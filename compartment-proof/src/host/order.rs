//! One form for runs that differ in nothing that matters: moments and stretches by their order alone, slots packed.

use super::{Content, Run, SLOTS, TestRun};
use compartment_core::event::Kind;

impl Run {
    /// Brings the run into its one form.
    pub(super) fn settle(&mut self) {
        self.forget();
        self.pack();
        self.rank_moments();
        self.rank_stretches();
    }

    /// What no later word can make matter.
    fn forget(&mut self) {
        if !self.test.passed {
            self.test = TestRun { began: self.test.began, passed: false, stretch: 0 };
        }
        if !self.attempt.failed {
            self.attempt.stretch = 0;
        }
        if self.flights.iter().all(Option::is_none) {
            self.test.began = 0;
            self.attempt.began = 0;
            self.truth.moment = 0;
        }
        if let Some(operation) = &mut self.operation {
            match operation.kind {
                Kind::Switch => {}
                Kind::Pull | Kind::Rollback | Kind::Test => operation.copy = Default::default(),
            }
            if !operation.kind.deploys() {
                operation.from = self.runs;
                operation.seen_other = false;
            }
        }
    }

    /// Named slots first, by name; the others in the order in which they are spoken of.
    fn pack(&mut self) {
        let used = self.used_slots();
        let mut order: Vec<u8> = Vec::with_capacity(SLOTS);
        let mut named: Vec<u8> =
            (0..SLOTS as u8).filter(|slot| self.slots[usize::from(*slot)].name.is_some()).collect();
        named.sort_unstable_by_key(|slot| self.slots[usize::from(*slot)].name);
        order.extend(named);
        let flights = self.flights.iter().flatten().flat_map(|ended| [ended.slot, ended.truth.slot]);
        let spoken = [self.runs, self.truth.slot];
        let spoken = spoken.into_iter().chain(self.operation.map(|operation| operation.from)).chain(flights);
        for slot in spoken {
            if !order.contains(&slot) {
                order.push(slot);
            }
        }
        debug_assert!(order.iter().all(|slot| used[usize::from(*slot)]), "only what is used is kept");
        let mut slots = [Content::default(); SLOTS];
        let mut place = [0; SLOTS];
        for (new, old) in order.iter().enumerate() {
            slots[new] = self.slots[usize::from(*old)];
            place[usize::from(*old)] = new as u8;
        }
        self.slots = slots;
        let put = |slot: &mut u8| *slot = place[usize::from(*slot)];
        put(&mut self.runs);
        put(&mut self.truth.slot);
        if let Some(operation) = &mut self.operation {
            put(&mut operation.from);
        }
        for ended in self.flights.iter_mut().flatten() {
            put(&mut ended.slot);
            put(&mut ended.truth.slot);
        }
    }

    fn rank_moments(&mut self) {
        let mut all = vec![0, self.truth.moment, self.test.began, self.attempt.began];
        all.extend(self.operation.map(|operation| operation.moment));
        all.extend(self.flights.iter().flatten().flat_map(|ended| [ended.began, ended.truth.moment]));
        let rank = ranks(all);
        let put = |moment: &mut u8| *moment = rank(*moment);
        put(&mut self.truth.moment);
        put(&mut self.test.began);
        put(&mut self.attempt.began);
        if let Some(operation) = &mut self.operation {
            put(&mut operation.moment);
        }
        for ended in self.flights.iter_mut().flatten() {
            put(&mut ended.began);
            put(&mut ended.truth.moment);
        }
        self.moment = rank(u8::MAX);
    }

    fn rank_stretches(&mut self) {
        let mut all = vec![0, self.stretch, self.truth.stretch, self.test.stretch, self.attempt.stretch];
        all.extend(self.operation.map(|operation| operation.stretch));
        all.extend(self.flights.iter().flatten().flat_map(|ended| [ended.stretch, ended.truth.stretch]));
        let rank = ranks(all);
        let put = |stretch: &mut u8| *stretch = rank(*stretch);
        put(&mut self.stretch);
        put(&mut self.truth.stretch);
        put(&mut self.test.stretch);
        put(&mut self.attempt.stretch);
        if let Some(operation) = &mut self.operation {
            put(&mut operation.stretch);
        }
        for ended in self.flights.iter_mut().flatten() {
            put(&mut ended.stretch);
            put(&mut ended.truth.stretch);
        }
    }
}

/// The place of each number among these; one above all for what is greater than all.
fn ranks(mut all: Vec<u8>) -> impl Fn(u8) -> u8 {
    all.sort_unstable();
    all.dedup();
    move |one| all.iter().position(|other| *other >= one).unwrap_or(all.len()) as u8
}
