//! Which words an honest host says.

use compartment_core::event::Kind;

use super::{Dirt, Ended, Id, Law, Operation, Outcome, Parts, Run, outcome_fits};
use crate::choice::Choice;
use crate::word::{End, Part, Told, Word};

impl Run {
    /// The word is heard: made now, or made earlier and heard now. `None` where no honest host would say it.
    pub fn says(&mut self, law: &Law, word: &Word, choice: &mut impl Choice) -> Option<()> {
        match *word {
            Word::Beat { told, running } => self.says_beat(law, &told, running, choice)?,
            Word::Started { kind, id, to } => self.says_start(law, kind, id, to, choice)?,
            Word::Result { kind, id, end, told } => self.says_result(law, kind, id, end, &told, choice)?,
            Word::Rejected { kind, id } => {
                // An operation that has begun is not refused any more.
                let known = self.ids >> id & 1 == 1;
                let request = self.requests[usize::from(id)].take();
                if known && request.is_none_or(|(asked, _)| asked != kind) {
                    return None;
                }
                self.ids |= 1 << id;
                self.test_ended(Some(id));
            }
            Word::Requested { kind, id, to } => {
                if self.ids >> id & 1 == 1 {
                    return None;
                }
                self.ids |= 1 << id;
                self.requests[usize::from(id)] = Some((kind, to));
                if kind == Kind::Test {
                    self.ordered_test = Some(id);
                }
            }
            Word::Observed(..) | Word::Unavailable | Word::Pushed | Word::Merged(..) | Word::Wait => {}
        }
        self.settle();
        Some(())
    }

    /// A word was made now, and is heard now.
    fn made(&mut self) {
        self.truth = self.now();
        self.moment += 1;
    }

    fn speaks_of_dirt(&mut self, told: &Told) {
        self.spoke |= told.dirty.mentioned();
        self.told_dirt |= matches!(told.dirty, Part::Told(true) | Part::Unreadable);
    }

    fn says_beat(
        &mut self,
        law: &Law,
        told: &Told,
        running: Option<Option<Kind>>,
        choice: &mut impl Choice,
    ) -> Option<()> {
        match running {
            Some(said) if said != self.operation.map(|operation| operation.kind) => return None,
            // While an ordered test has not ended, a test that runs is that one (W3).
            Some(Some(Kind::Test)) if !self.is_ordered_test() => return None,
            Some(Some(kind)) => {
                self.operation_told();
                // It speaks of the ordered one: another that was seen to begin has ended (W3, K1).
                if kind == Kind::Test && self.ordered_test.is_some() {
                    self.says_what_runs(None);
                }
            }
            Some(None) | None => {}
        }
        if let Some(runs) = running {
            self.says_what_runs(runs);
        }
        let dirt_before = self.checkout.dirty;
        self.speaks_of_dirt(told);
        // A pull that is told of may have moved the checkout already.
        let pulls = self.operation.is_some_and(|operation| operation.told && operation.kind == Kind::Pull);
        if pulls && choice.pick(2) == 1 {
            self.checkout = self.any_checkout(law, choice);
            choice.note(|| format!("the pull has moved the checkout to {}", self.checkout));
        }
        self.hands_on_checkout(law, told, choice)?;
        self.dirt_since |= dirt_before | self.checkout.dirty;
        self.hands_on_system(law, told, choice)?;
        if told.path.told().is_some()
            && let Some(operation) = &mut self.operation
        {
            operation.seen_other |= operation.from != self.runs;
        }
        // The next build that nobody sees begin begins after this word, where it says that none runs (W5).
        match running {
            Some(None | Some(Kind::Pull | Kind::Test | Kind::Rollback)) => {
                self.dirt_since = self.checkout.dirty
            }
            Some(Some(Kind::Switch)) | None => {}
        }
        self.made();
        Some(())
    }

    fn says_start(
        &mut self,
        law: &Law,
        kind: Kind,
        id: Option<u8>,
        to: Option<u8>,
        choice: &mut impl Choice,
    ) -> Option<()> {
        if self.operation.is_some() {
            return None;
        }
        let id = match id {
            None => Id::None,
            Some(id) => {
                let asked = self.requests[usize::from(id)];
                let known = self.ids >> id & 1 == 1;
                // An id that was heard is the one of its request, and its operation begins once.
                if known && asked.is_none_or(|(asked, _)| asked != kind) {
                    return None;
                }
                self.ids |= 1 << id;
                Id::Known(id)
            }
        };
        self.begin(law, kind, id, to, choice);
        if let Some(operation) = &mut self.operation {
            operation.seen = true;
        }
        self.operation_told();
        self.awaited = 0;
        self.dirt_since = self.checkout.dirty;
        self.made();
        Some(())
    }

    /// Whether the test that runs can be the one of which a heartbeat speaks.
    fn is_ordered_test(&self) -> bool {
        let runs = self.operation.map(|operation| operation.id);
        self.ordered_test.is_none_or(|ordered| runs == Some(Id::Known(ordered)))
    }

    /// A word says what runs, or that nothing does: what else was seen to begin has ended.
    fn says_what_runs(&mut self, runs: Option<Kind>) {
        self.awaited &= runs.map_or(0, |kind| 1 << kind as u8);
    }

    fn test_ended(&mut self, id: Option<u8>) {
        if self.ordered_test.is_some() && self.ordered_test == id {
            self.ordered_test = None;
        }
    }

    fn says_result(
        &mut self,
        law: &Law,
        kind: Kind,
        id: Option<u8>,
        end: End,
        told: &Told,
        choice: &mut impl Choice,
    ) -> Option<()> {
        let flights = self.flights.iter().flatten().count();
        let ended = match choice.pick(1 + flights) {
            0 => {
                let begun = self.operation?;
                if begun.kind != kind || !self.is_named(begun.id, id) {
                    return None;
                }
                self.ends_now(law, choice)?
            }
            late => self.arrives(late - 1, choice)?,
        };
        self.hears_result(&ended, kind, id, end, told)
    }

    /// The operation ends, and its result is heard at once.
    pub(super) fn ends_now(&mut self, law: &Law, choice: &mut impl Choice) -> Option<Ended> {
        let Operation { kind, id, .. } = self.operation?;
        // A start without an id was heard, and no end: the next result of its kind would be its own (K1).
        if id == Id::None && self.awaited >> kind as u8 & 1 == 1 {
            return None;
        }
        let dirt_before = self.checkout.dirty;
        let ended = self.end(law, choice)?;
        self.made();
        // In order, it is a word that says that nothing runs any more.
        if id == Id::None || law.session {
            self.dirt_since = self.checkout.dirty;
            self.says_what_runs(None);
        } else {
            self.dirt_since |= dirt_before | self.checkout.dirty;
        }
        Some(ended)
    }

    /// A result that was made earlier is heard now.
    pub(super) fn arrives(&mut self, which: usize, choice: &mut impl Choice) -> Option<Ended> {
        let place = (0..self.flights.len()).filter(|place| self.flights[*place].is_some()).nth(which)?;
        let ended = self.flights[place].take()?;
        choice.note(|| "a result that was made earlier arrives".to_string());
        if ended.truth.moment > self.truth.moment {
            self.truth = ended.truth;
        }
        Some(ended)
    }

    /// What is heard is the result of this operation.
    pub(super) fn hears_result(
        &mut self,
        ended: &Ended,
        kind: Kind,
        id: Option<u8>,
        end: End,
        told: &Told,
    ) -> Option<()> {
        if ended.kind != kind || !self.is_named(ended.id, id) || !outcome_fits(ended.outcome, end) {
            return None;
        }
        if let Some(id) = id {
            self.ids |= 1 << id;
        }
        self.test_ended(id);
        self.left |= ended.left.map_or(0, |commit| 1 << commit);
        self.hear(ended, end, told)
    }

    /// Whether an operation of this id reports under that one.
    fn is_named(&self, is: Id, said: Option<u8>) -> bool {
        match (is, said) {
            (Id::None, None) => true,
            (Id::Unheard, Some(said)) => self.ids >> said & 1 == 0,
            (Id::Known(is), Some(said)) => is == said,
            (Id::None, Some(_)) | (Id::Unheard | Id::Known(_), None) => false,
        }
    }

    /// What a result tells is what its operation left.
    fn hear(&mut self, ended: &Ended, end: End, told: &Told) -> Option<()> {
        let Parts { commit, dirt, lock } = ended.owes;
        let silent = [
            (commit, told.commit.mentioned()),
            (dirt, told.dirty.mentioned()),
            (lock, told.lock.mentioned()),
        ];
        if silent.into_iter().any(|(owed, said)| owed && !said) {
            return None;
        }
        let well = ended.outcome == Outcome::Ok;
        match ended.kind {
            Kind::Pull | Kind::Switch if well => {
                let said = |part: Part<u8>, is: u8| part.told().is_none_or(|said| said == is);
                let dirt = told.dirty.told().is_none_or(|said| said == ended.copy.dirty);
                if !(said(told.commit, ended.copy.commit) && said(told.lock, ended.copy.lock) && dirt) {
                    return None;
                }
            }
            Kind::Rollback if well => self.tell_origin(ended.slot, told.commit.told())?,
            Kind::Pull | Kind::Switch | Kind::Rollback | Kind::Test => {}
        }
        self.speaks_of_dirt(told);
        if ended.kind.deploys() {
            self.unread &= !(well && ended.truth.moment >= self.truth.moment);
            let changed = matches!(end, End::Fail(Some(true)) | End::Stop(Some(true)));
            self.hear_system(ended, changed, told)?;
            self.attempt_told(ended.began, !well, ended.stretch);
        }
        if ended.kind == Kind::Test {
            self.tests_told(ended.began, well && ended.steady, ended.stretch);
        }
        Some(())
    }

    fn hear_system(&mut self, ended: &Ended, changed: bool, told: &Told) -> Option<()> {
        if ended.outcome == Outcome::Ok && !told.path.mentioned() {
            // What was seen since its start is its own, unless it names another path (K4).
            if ended.hands {
                return None;
            }
        }
        let slot = usize::from(ended.slot);
        if let Some(path) = told.path.told() {
            match self.slots[slot].name {
                Some(name) if name != path => return None,
                Some(_) => {}
                None if self.slots.iter().any(|other| other.name == Some(path)) => return None,
                None => self.slots[slot].name = Some(path),
            }
        }
        // Where it is told where a rollback goes, a success that names no path went there.
        let well = ended.outcome == Outcome::Ok;
        let named = match (told.path.told(), ended.to) {
            (None, Some(to)) if well => {
                let free = self.slots.iter().all(|other| other.name != Some(to));
                match self.slots[slot].name {
                    Some(name) if name != to => return None,
                    None if !free => return None,
                    Some(_) | None => self.slots[slot].name = Some(to),
                }
                Some(to)
            }
            (named, _) => named,
        };
        if ended.truth.moment >= self.named_at {
            match named {
                Some(_) => {
                    (self.unplaced, self.named, self.claimed) = (None, named, None);
                    self.named_at = ended.truth.moment;
                }
                None if well => {
                    self.unplaced = (!ended.placed).then_some(ended.truth.moment);
                    self.claimed = told.label.or(told.commit.told()).or(self.claimed);
                }
                // It tells that what ran runs no more.
                None if changed => self.named = None,
                None => {}
            }
        } else if named.is_some()
            && self.untold.is_some_and(|(since, at)| since < ended.truth.moment && ended.truth.moment < at)
        {
            self.untold = None;
        }
        if self.slots[slot].dirt == Dirt::Open && told.names_system() {
            self.slots[slot].dirt = if self.told_dirt { Dirt::Dirty } else { Dirt::Clean };
        }
        self.tell_label(ended.slot, told.label)
    }

    /// A rollback says which commit the system was built from to which it went. It knows of one build alone.
    fn tell_origin(&mut self, slot: u8, commit: Option<u8>) -> Option<()> {
        let Some(commit) = commit else { return Some(()) };
        let told_dirt = self.told_dirt;
        let content = &mut self.slots[usize::from(slot)];
        let built = content.built >> commit & 1 == 1;
        if !built && content.label.is_some_and(|label| label != commit) {
            return None;
        }
        if !told_dirt {
            content.built |= 1 << commit;
        }
        Some(())
    }
}
