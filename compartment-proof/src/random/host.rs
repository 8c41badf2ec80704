//! One honest host of a fleet, and how what it says gets to the hub.

use compartment_core::HostId;
use compartment_core::event::{Event, Kind};

use crate::choice::{Chance, Choice};
use crate::host::{Habits, IDS, Law, Run};
use crate::word::{Names, Word};

/// How a host reports.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Style {
    /// Without ids, in order.
    Plain,
    /// With ids, results at any time.
    Ids,
    /// With ids and one session.
    Session,
    /// With ids where somebody ordered it or a program began it, without where people did.
    Mixed,
}

/// One honest host.
#[derive(Debug)]
pub(super) struct Member {
    pub(super) name: HostId,
    pub(super) law: Law,
    pub(super) run: Run,
    style: Style,
    habits: Habits,
    /// The number of every id in use; zero where none has it.
    ids: [u32; IDS],
    next_id: u32,
    next_path: u8,
    said: u64,
    /// Results that may be heard again.
    heard: Vec<Event>,
}

impl Member {
    pub(super) fn new(name: &str, locks: &'static [u8], choice: &mut Chance) -> Self {
        let style = [Style::Plain, Style::Ids, Style::Session, Style::Mixed][choice.pick(4)];
        let mut habit = || choice.pick(4) > 0;
        let habits = Habits {
            commit: habit(),
            dirt: habit(),
            lock: habit(),
            path: habit(),
            label: habit(),
            running: habit(),
        };
        let late = if matches!(style, Style::Ids | Style::Mixed) { 2 } else { 0 };
        let ids = (matches!(style, Style::Plain | Style::Mixed), style != Style::Plain);
        let session = style == Style::Session;
        let pushed = choice.pick(4) == 0;
        let law = Law::any(locks, ids, (late, session), habits, pushed);
        let run = Run::new(&law, choice.pick(locks.len()) as u8);
        let name = HostId::new(name).expect("a host id");
        let (ids, heard) = ([0; IDS], Vec::new());
        Self { name, law, run, style, habits, ids, next_id: 1, next_path: 0, said: 0, heard }
    }

    /// The next event of this host, if it says one that is heard.
    pub(super) fn says(&mut self, choice: &mut Chance) -> Option<Event> {
        // Whoever owes a word mostly says it before anything else begins.
        let owes = self.run.owes();
        match choice.pick(12) {
            0 | 1 => {
                let mut run = self.run;
                choice.attempt(|choice| run.hidden(&self.law, choice))?;
                self.run = run;
                None
            }
            2 | 3 if !owes || choice.pick(3) == 0 => self.start(choice),
            2..=6 => self.result(choice),
            7 if !self.heard.is_empty() => {
                let again = choice.pick(self.heard.len());
                Some(self.heard[again].clone())
            }
            _ => self.beat(choice),
        }
    }

    /// What the hub is told of it first.
    pub(super) fn configured(&self) -> Option<Event> {
        let names = Names { host: &self.name, locks: self.law.locks, ids: self.ids, number: None, at: None };
        Word::Pushed.event(&names).filter(|_| self.law.pushed)
    }

    fn beat(&mut self, choice: &mut Chance) -> Option<Event> {
        let word = self.run.any_beat(&self.law, self.habits, self.next_path, choice);
        self.heard(word, choice)
    }

    fn start(&mut self, choice: &mut Chance) -> Option<Event> {
        let fresh = self.fresh_id();
        let anonymous = match self.style {
            Style::Plain => true,
            Style::Ids | Style::Session => false,
            Style::Mixed => choice.pick(2) == 0,
        };
        let word = self.run.any_start(&self.law, anonymous, fresh, choice)?;
        self.heard(word, choice)
    }

    fn result(&mut self, choice: &mut Chance) -> Option<Event> {
        let fresh = self.fresh_id();
        let mut run = self.run;
        let next = (fresh, self.next_path);
        let word = choice.attempt(|choice| run.any_result(&self.law, self.habits, next, choice))?;
        self.run = run;
        let event = self.event(&word);
        if word.id().is_some() && matches!(self.style, Style::Ids | Style::Mixed) {
            self.heard.push(event.clone());
            if self.heard.len() > 4 {
                self.heard.remove(0);
            }
        }
        Some(event)
    }

    /// Somebody asks the hub for an operation.
    pub(super) fn asks(&mut self, choice: &mut Chance) -> Option<Event> {
        if self.style == Style::Plain {
            return None;
        }
        let id = self.fresh_id()?;
        let kinds: &[Kind] = if self.law.pushed {
            // The others are refused where nothing is checked out.
            &[Kind::Test, Kind::Rollback]
        } else {
            &[Kind::Pull, Kind::Switch, Kind::Test, Kind::Rollback]
        };
        let kind = kinds[choice.pick(kinds.len())];
        self.heard(Word::Requested { kind, id, to: None }, choice)
    }

    fn heard(&mut self, word: Word, choice: &mut Chance) -> Option<Event> {
        let mut run = self.run;
        choice.attempt(|choice| run.says(&self.law, &word, choice))?;
        self.run = run;
        Some(self.event(&word))
    }

    fn event(&mut self, word: &Word) -> Event {
        if word.is_report() {
            // A number is missing where a report was lost.
            self.said += 1;
        }
        if word.path() == Some(self.next_path) {
            self.next_path += 1;
        }
        let number = (self.style == Style::Session && word.is_report()).then_some(self.said);
        let names = Names { host: &self.name, locks: self.law.locks, ids: self.ids, number, at: None };
        word.event(&names).expect("it is no mere waiting")
    }

    /// An id that is not in use, with a number that was never used.
    fn fresh_id(&mut self) -> Option<u8> {
        let free = |id: &u8| self.run.is_done_with(*id);
        let id = (0..IDS as u8).find(free)?;
        self.run.forget_id(id);
        self.ids[usize::from(id)] = self.next_id;
        self.next_id += 1;
        Some(id)
    }

    /// How many paths this host has named.
    pub(super) const fn has_room(&self) -> bool {
        self.next_path < 250
    }
}
