//! What happens on a host and is not seen: operations begin, activate systems and end.

use compartment_core::event::Kind;

use super::{Checkout, Dirt, Ended, FLIGHTS, Id, Law, Operation, Outcome, Parts, Run, Unseen};
use crate::choice::Choice;
use crate::few::Few;

/// A step that nobody sees.
#[derive(Clone, Copy)]
enum Step {
    Begin(Kind, Id),
    Activate,
    EndUntold,
    EndForLater,
}

impl Run {
    /// Takes one hidden step; `None` where there is none to take.
    pub fn hidden(&mut self, law: &Law, choice: &mut impl Choice) -> Option<()> {
        let steps = self.steps(law);
        match steps.get(choice.pick(steps.count()))? {
            Step::Begin(kind, id) => self.begin(law, kind, id, None, choice),
            Step::Activate => self.activate(choice)?,
            Step::EndUntold => self.end_untold(law, choice),
            Step::EndForLater => {
                let ended = self.end(law, choice)?;
                let free = self.flights.iter().position(Option::is_none)?;
                self.flights[free] = Some(ended);
                self.moment += 1;
            }
        }
        self.settle();
        Some(())
    }

    fn steps(&self, law: &Law) -> Few<Step> {
        let mut steps = Few::new();
        let Some(operation) = self.operation else {
            for unseen in &law.hidden {
                self.beginnings(unseen, &mut steps);
            }
            return steps;
        };
        if operation.kind.deploys() && !operation.active {
            steps.push(Step::Activate);
        }
        // What nothing has told of, and nothing will, is no operation.
        if operation.told && operation.owes == Parts::NONE {
            steps.push(Step::EndUntold);
        }
        let under_way = self.flights.iter().flatten().count();
        if operation.id != Id::None && under_way < law.late.min(FLIGHTS) {
            steps.push(Step::EndForLater);
        }
        steps
    }

    /// How an operation may begin: with the id of a request for it, or by hand.
    fn beginnings(&self, unseen: &Unseen, steps: &mut Few<Step>) {
        for (id, request) in self.requests.iter().enumerate() {
            if unseen.ordered && request.is_some_and(|(asked, _)| asked == unseen.kind) {
                steps.push(Step::Begin(unseen.kind, Id::Known(id as u8)));
            }
        }
        if unseen.anonymous {
            steps.push(Step::Begin(unseen.kind, Id::None));
        }
        if unseen.named {
            steps.push(Step::Begin(unseen.kind, Id::Unheard));
        }
    }

    /// An operation begins. `to`: where a rollback says it goes.
    pub(super) fn begin(&mut self, law: &Law, kind: Kind, id: Id, to: Option<u8>, choice: &mut impl Choice) {
        let (copy, owes) = match kind {
            Kind::Switch if law.pushed => self.elsewhere(law, choice),
            Kind::Switch => {
                let owes = self.hands_before_switch(law, choice);
                (self.checkout, owes)
            }
            Kind::Pull | Kind::Rollback | Kind::Test => (self.checkout, Parts::NONE),
        };
        let mut to = to;
        if let Id::Known(id) = id
            && let Some((_, asked)) = self.requests[usize::from(id)].take()
        {
            to = to.or(asked);
        }
        self.operation = Some(Operation {
            kind,
            id,
            told: false,
            seen: false,
            copy,
            owes,
            from: self.runs,
            stretch: self.stretch,
            seen_other: false,
            active: false,
            changed: false,
            hands: false,
            to,
            moment: self.moment,
        });
        self.moment += 1;
        choice.note(|| format!("a {kind} begins, from {copy}"));
    }

    /// A word has told of the operation that runs.
    pub(super) fn operation_told(&mut self) {
        let Some(operation) = &mut self.operation else { return };
        if std::mem::replace(&mut operation.told, true) {
            return;
        }
        let Operation { kind, moment, .. } = *operation;
        if kind.deploys() {
            self.attempt_told(moment, false, 0);
        }
        if kind == Kind::Test {
            self.tests_told(moment, false, 0);
        }
    }

    /// A switch or rollback puts another system in place.
    fn activate(&mut self, choice: &mut impl Choice) -> Option<()> {
        let before = self.runs;
        let slot = self.target(choice)?;
        if slot == before {
            return None;
        }
        self.run_slot(slot);
        if let Some(operation) = &mut self.operation {
            operation.active = true;
            operation.changed = true;
        }
        choice.note(|| format!("the operation activates {}", self.name_of(slot)));
        Some(())
    }

    /// The system that a switch builds, or to which a rollback goes.
    fn target(&mut self, choice: &mut impl Choice) -> Option<u8> {
        let operation = self.operation?;
        let dirt = match operation.kind {
            Kind::Rollback if self.told_dirt => Dirt::Dirty,
            Kind::Switch if operation.copy.dirty => Dirt::Dirty,
            Kind::Rollback | Kind::Switch | Kind::Pull | Kind::Test => Dirt::Clean,
        };
        self.other_slot(dirt, choice, |_| true)
    }

    pub(super) fn name_of(&self, slot: u8) -> String {
        match self.slots[usize::from(slot)].name {
            Some(name) => format!("p{}", name + 1),
            None => "a system that was not named yet".to_string(),
        }
    }

    /// The operation ends, and nobody ever tells how: as badly as it can.
    fn end_untold(&mut self, law: &Law, choice: &mut impl Choice) {
        let Some(operation) = self.operation.take() else { return };
        if operation.kind == Kind::Pull {
            self.checkout = self.any_checkout(law, choice);
        }
        if operation.seen && operation.id == Id::None {
            self.awaited |= 1 << operation.kind as u8;
        }
        self.left |= operation.left(self.runs).map_or(0, |commit| 1 << commit);
        choice.note(|| format!("the {} ends, and nothing tells how", operation.kind));
    }

    /// The operation ends, with what its result can tell.
    pub(super) fn end(&mut self, law: &Law, choice: &mut impl Choice) -> Option<Ended> {
        let operation = self.operation?;
        let well = choice.pick(2) == 0;
        let mut copy = operation.copy;
        let mut owes = operation.owes;
        match (operation.kind, well) {
            (Kind::Pull, true) => {
                let from = operation.copy;
                copy = self.pulled(law, from, choice);
                // Dirt that the pull did not find, and that nobody has spoken of, is people's: its result tells it.
                owes.dirt |= copy.dirty && (!self.spoke || (!from.dirty && from.commit == copy.commit));
                self.checkout = copy;
            }
            (Kind::Pull, false) => self.checkout = self.any_checkout(law, choice),
            (Kind::Switch | Kind::Rollback, true) => {
                if !operation.active {
                    let slot = self.target(choice)?;
                    self.run_slot(slot);
                }
                // What began and ended on one path, with another seen in between, is no success of an honest host.
                if self.runs == operation.from && operation.seen_other {
                    return None;
                }
                if operation.kind == Kind::Switch && !copy.dirty {
                    self.slot().built |= 1 << copy.commit;
                }
            }
            (Kind::Switch | Kind::Rollback, false) | (Kind::Test, _) => {}
        }
        if !well || matches!(operation.kind, Kind::Rollback | Kind::Test) {
            copy = Checkout::default();
        }
        let outcome = if well { Outcome::Ok } else { Outcome::Failed(operation.changed) };
        choice.note(|| match outcome {
            Outcome::Ok => format!("the {} succeeds", operation.kind),
            Outcome::Failed(_) => format!("the {} fails", operation.kind),
        });
        self.operation = None;
        Some(Ended {
            kind: operation.kind,
            id: operation.id,
            told: operation.told,
            owes,
            outcome,
            copy,
            slot: self.runs,
            began: operation.moment,
            stretch: self.stretch,
            hands: operation.hands,
            left: operation.left(self.runs).filter(|_| !well),
            to: operation.to,
            placed: operation.seen && operation.seen_other,
            steady: operation.stretch == self.stretch,
            truth: self.now(),
        })
    }

    /// Where a pull that succeeds leaves the checkout: clean where it was clean at that same commit, where no report
    /// ever spoke of dirt, or where it says so.
    fn pulled(&self, law: &Law, from: Checkout, choice: &mut impl Choice) -> Checkout {
        let commit = choice.pick(law.commits()) as u8;
        let open = self.spoke && (from.dirty || from.commit != commit);
        let dirty = (open || law.pull_tells_dirt) && choice.pick(2) == 1;
        let lock = if dirty { law.any_lock(choice) } else { law.lock(commit) };
        Checkout { commit, dirty, lock }
    }
}

impl Operation {
    /// The commit of the changed tree of which a switch that does not succeed may have built a system that does not run
    /// at its end: people may activate it later.
    fn left(&self, runs: u8) -> Option<u8> {
        let back = !self.changed || runs == self.from;
        let is_left = self.kind == Kind::Switch && back && self.copy.dirty;
        is_left.then_some(self.copy.commit)
    }
}
