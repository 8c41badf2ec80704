//! One form for runs that differ in nothing that matters: moments and stretches by their order alone, slots packed.

use compartment_core::event::Kind;

use super::{Checkout, Content, Moment, Outcome, Run, SLOTS, TestRun};
use crate::few::Few;

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
            self.named_at = 0;
            self.untold = self.untold.map(|_| (0, 0));
            self.unplaced = self.unplaced.map(|_| 0);
        }
        if self.flights[0].is_none() {
            self.flights.swap(0, 1);
        }
        for ended in self.flights.iter_mut().flatten() {
            if ended.truth.moment <= self.truth.moment {
                // Of the truth at its making only the place among the words that name a path matters any more.
                let moment = if ended.kind.deploys() { ended.truth.moment } else { 0 };
                ended.truth = Moment { slot: ended.slot, moment, ..Moment::default() };
            }
            if !ended.kind.deploys() {
                ended.slot = self.runs;
            }
            if ended.kind == Kind::Pull || ended.outcome != Outcome::Ok && ended.kind == Kind::Test {
                (ended.stretch, ended.steady) = (0, false);
            }
            if ended.kind == Kind::Pull {
                ended.began = 0;
            }
        }
        if let Some(operation) = &mut self.operation {
            if matches!(operation.kind, Kind::Rollback | Kind::Test) {
                operation.copy = Checkout::default();
            }
            if operation.kind == Kind::Pull {
                (operation.stretch, operation.moment) = (0, 0);
            }
            if !operation.kind.deploys() {
                operation.from = self.runs;
                operation.seen_other = false;
            }
        }
    }

    /// Named slots first, by name; the others in the order in which they are spoken of.
    fn pack(&mut self) {
        let mut order: Few<u8> = Few::new();
        let mut after = None;
        loop {
            let later = |slot: &&Content| slot.name.is_some() && slot.name > after;
            let Some(next) = self.slots.iter().filter(later).filter_map(|slot| slot.name).min() else {
                break;
            };
            after = Some(next);
            let slot = self.slots.iter().position(|slot| slot.name == after);
            slot.into_iter().for_each(|slot| order.push(slot as u8));
        }
        let flights = self.flights.iter().flatten().flat_map(|ended| [ended.slot, ended.truth.slot]);
        let begun = self.operation.map(|operation| operation.from);
        for slot in [self.runs, self.truth.slot].into_iter().chain(begun).chain(flights) {
            if order.iter().all(|other| other != slot) {
                order.push(slot);
            }
        }
        let mut slots = [Content::default(); SLOTS];
        let mut place = [0; SLOTS];
        for (new, old) in order.iter().enumerate() {
            slots[new] = self.slots[usize::from(old)];
            place[usize::from(old)] = new as u8;
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
        let mut all = Ranks::of(&[0, self.truth.moment, self.named_at, self.test.began, self.attempt.began]);
        for moment in self.untold.iter().flat_map(|(since, at)| [since, at]).chain(&self.unplaced) {
            all.add(*moment);
        }
        self.operation.iter().for_each(|operation| all.add(operation.moment));
        self.flights.iter().flatten().for_each(|ended| {
            all.add(ended.began);
            all.add(ended.truth.moment);
        });
        all.put(&mut self.truth.moment);
        all.put(&mut self.named_at);
        all.put(&mut self.test.began);
        all.put(&mut self.attempt.began);
        for moment in self.untold.iter_mut().flat_map(|(since, at)| [since, at]).chain(&mut self.unplaced) {
            all.put(moment);
        }
        self.operation.iter_mut().for_each(|operation| all.put(&mut operation.moment));
        self.flights.iter_mut().flatten().for_each(|ended| {
            all.put(&mut ended.began);
            all.put(&mut ended.truth.moment);
        });
        self.moment = all.count();
    }

    fn rank_stretches(&mut self) {
        let mut all =
            Ranks::of(&[0, self.stretch, self.truth.stretch, self.test.stretch, self.attempt.stretch]);
        self.operation.iter().for_each(|operation| all.add(operation.stretch));
        self.flights.iter().flatten().for_each(|ended| {
            all.add(ended.stretch);
            all.add(ended.truth.stretch);
        });
        all.put(&mut self.stretch);
        all.put(&mut self.truth.stretch);
        all.put(&mut self.test.stretch);
        all.put(&mut self.attempt.stretch);
        self.operation.iter_mut().for_each(|operation| all.put(&mut operation.stretch));
        self.flights.iter_mut().flatten().for_each(|ended| {
            all.put(&mut ended.stretch);
            all.put(&mut ended.truth.stretch);
        });
    }
}

/// The places of small numbers among each other.
#[derive(Clone, Copy)]
struct Ranks(u64);

impl Ranks {
    fn of(numbers: &[u8]) -> Self {
        let mut ranks = Self(0);
        numbers.iter().for_each(|number| ranks.add(*number));
        ranks
    }

    const fn add(&mut self, number: u8) {
        self.0 |= 1 << number;
    }

    const fn put(self, number: &mut u8) {
        *number = (self.0 & ((1 << *number) - 1)).count_ones() as u8;
    }

    const fn count(self) -> u8 {
        self.0.count_ones() as u8
    }
}
