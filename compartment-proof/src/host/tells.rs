//! Words by chance, for long runs: what a host can say of itself as it is.

use compartment_core::event::Kind;

use super::{Id, Law, Outcome, Run};
use crate::choice::Choice;
use crate::word::{End, Part, Told, Word};

/// Which parts a host tells, each where it happens to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Habits {
    /// The checkout's commit.
    pub commit: bool,
    /// Whether it is dirty.
    pub dirt: bool,
    /// The lock file.
    pub lock: bool,
    /// The path that runs.
    pub path: bool,
    /// The commit of the running system.
    pub label: bool,
    /// What runs at the moment.
    pub running: bool,
}

impl Run {
    /// A heartbeat that this host may make now. People may change what it tells right before. `next`: the first path
    /// that no system has yet.
    pub fn any_beat(&self, law: &Law, habits: Habits, next: u8, choice: &mut impl Choice) -> Word {
        let hands = law.hands && choice.pick(6) == 0;
        let mut told = Told::default();
        let checkout = !law.pushed;
        if checkout && habits.commit && choice.pick(3) > 0 {
            let changed = hands && choice.pick(2) == 0;
            let commit = if changed { choice.pick(law.commits()) as u8 } else { self.checkout.commit };
            told.commit = Part::Told(commit);
        }
        if checkout && habits.dirt && choice.pick(3) > 0 {
            told.dirty = Part::Told(self.checkout.dirty != (hands && choice.pick(3) == 0));
        }
        if habits.lock && told.commit.mentioned() && choice.pick(2) > 0 {
            let same = told.commit == Part::Told(self.checkout.commit) && !told.dirty.mentioned();
            let commit = told.commit.told().unwrap_or_default();
            told.lock = Part::Told(if same { self.checkout.lock } else { law.lock(commit) });
        }
        let runs = self.slots[usize::from(self.runs)];
        if habits.path && choice.pick(3) > 0 {
            let names: Vec<u8> = self.slots.iter().filter_map(|slot| slot.name).chain([next]).collect();
            let other = names[choice.pick(names.len())];
            let changed = hands && choice.pick(2) == 0;
            told.path = Part::Told(if changed { other } else { runs.name.unwrap_or(next) });
        }
        if habits.label && choice.pick(3) > 0 {
            let named = self.slots.iter().find(|slot| slot.name.is_some() && slot.name == told.path.told());
            let label = if told.path.mentioned() { named.and_then(|slot| slot.label) } else { runs.label };
            told.label = Some(label.unwrap_or_else(|| choice.pick(law.commits()) as u8));
        }
        if checkout && choice.pick(40) == 0 && habits.commit {
            told.commit = Part::Unreadable;
        }
        if checkout && choice.pick(40) == 0 && habits.dirt {
            told.dirty = Part::Unreadable;
        }
        let runs = habits.running && choice.pick(2) == 0;
        Word::Beat { told, running: runs.then(|| self.operation.map(|operation| operation.kind)) }
    }

    /// A start that this host may make now. `id`: one that nobody has used.
    pub fn any_start(
        &self,
        law: &Law,
        anonymous: bool,
        id: Option<u8>,
        choice: &mut impl Choice,
    ) -> Option<Word> {
        if self.operation.is_some() {
            return None;
        }
        let asked: Vec<_> =
            (0_u8..).zip(self.requests).filter_map(|(id, asked)| Some((id, asked?.0))).collect();
        if !asked.is_empty() && choice.pick(2) == 0 {
            let (id, kind) = asked[choice.pick(asked.len())];
            return Some(Word::Started { kind, id: Some(id), to: None });
        }
        let kind = law.any_kind(choice);
        match (anonymous, id) {
            (true, _) => Some(Word::Started { kind, id: None, to: None }),
            (false, Some(id)) => Some(Word::Started { kind, id: Some(id), to: None }),
            (false, None) => None,
        }
    }

    /// What runs ends and its result is heard, or one that was made earlier is. `fresh`: an id that nobody has used,
    /// `next`: the first path that no system has yet. `None`, and the run is no run any more, where it cannot be.
    pub fn any_result(
        &mut self,
        law: &Law,
        habits: Habits,
        (fresh, next): (Option<u8>, u8),
        choice: &mut impl Choice,
    ) -> Option<Word> {
        let under_way = self.flights.iter().flatten().count();
        let pick = choice.pick(under_way + usize::from(self.operation.is_some()));
        let ended = if pick < under_way { self.arrives(pick, choice)? } else { self.ends_now(law, choice)? };
        let id = match ended.id {
            Id::None => None,
            Id::Unheard => Some(fresh?),
            Id::Known(id) => Some(id),
        };
        let mut told = Told::default();
        let mut tells = |habit: bool| habit && choice.pick(3) > 0;
        let well = ended.outcome == Outcome::Ok;
        if well && ended.kind == Kind::Pull {
            told.commit = Part::Told(ended.copy.commit);
        }
        if well && matches!(ended.kind, Kind::Pull | Kind::Switch) {
            if tells(true) || ended.owes.commit {
                told.commit = Part::Told(ended.copy.commit);
            }
            if tells(habits.dirt) || ended.owes.dirt {
                told.dirty = Part::Told(ended.copy.dirty);
            }
            if tells(habits.lock) || ended.owes.lock {
                told.lock = Part::Told(ended.copy.lock);
            }
        }
        let slot = self.slots[usize::from(ended.slot)];
        if ended.kind.deploys() && (tells(habits.path) || ended.hands) {
            told.path = Part::Told(slot.name.unwrap_or(next));
        }
        if ended.kind.deploys() && tells(habits.label) {
            told.label = slot.label.or(Some(ended.copy.commit));
        }
        let end = match ended.outcome {
            Outcome::Ok => End::Ok,
            Outcome::Failed(changed) => {
                let said = (ended.kind.deploys() && choice.pick(2) == 0).then_some(changed);
                if choice.pick(3) == 0 { End::Stop(said) } else { End::Fail(said) }
            }
        };
        if matches!(end, End::Stop(_)) {
            (told.path, told.label) = (Part::Silent, None);
        }
        self.hears_result(&ended, ended.kind, id, end, &told)?;
        self.settle();
        Some(Word::Result { kind: ended.kind, id, end, told })
    }

    /// The path that runs, where a clean build of this commit may lead to it. `None` where it has no name, or says
    /// another commit of itself.
    #[must_use]
    pub fn rebuilt(&self, commit: u8) -> Option<u8> {
        let runs = self.slots[usize::from(self.runs)];
        runs.name.filter(|_| runs.label.is_none_or(|label| label == commit))
    }

    /// Whether an id may be used anew: nothing under way has it.
    #[must_use]
    pub fn is_done_with(&self, id: u8) -> bool {
        let is = Id::Known(id);
        self.requests[usize::from(id)].is_none()
            && self.ordered_test != Some(id)
            && self.operation.is_none_or(|operation| operation.id != is)
            && self.flights.iter().flatten().all(|ended| ended.id != is)
    }

    /// Forgets that an id was used.
    pub fn forget_id(&mut self, id: u8) {
        self.ids &= !(1 << id);
    }

    /// Whether a word has used this id.
    #[must_use]
    pub const fn has_heard(&self, id: u8) -> bool {
        self.ids >> id & 1 == 1
    }

    /// Whether something happened that nothing has told yet.
    #[must_use]
    pub fn owes(&self) -> bool {
        !self.counts()
    }
}
