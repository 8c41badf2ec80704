//! The worlds: small vocabularies, each exhaustive to a useful depth.

mod agents;
mod alphabet;
mod checkout;
mod system;
mod tests;

use crate::host::Law;
use crate::word::Word;

/// A small world.
#[derive(Clone, Debug)]
pub struct World {
    /// What it is called.
    pub name: &'static str,
    /// What it is about.
    pub about: &'static str,
    /// What holds for its hosts.
    pub law: Law,
    /// What is heard first.
    pub start: Vec<Word>,
    /// What can be heard then, in any order.
    pub words: Vec<Word>,
    /// How many words, in a minute for all worlds together.
    pub depth: usize,
}

/// All worlds, in the order in which they are told.
#[must_use]
pub fn worlds() -> Vec<World> {
    vec![
        agents::results_alone(),
        checkout::pulls_late(),
        checkout::pulls_seen(),
        checkout::dirt(),
        system::switches_by_path(),
        system::switches_late(),
        system::switches_by_hand(),
        system::labels(),
        system::left_behind(),
        system::failures(),
        system::pushed(),
        system::pushed_late(),
        system::rollbacks(),
        system::rollbacks_late(),
        tests::tests(),
        tests::tests_late(),
        agents::ordered(),
        agents::session(),
        checkout::unreadable(),
        checkout::moves(),
        checkout::no_lock(),
    ]
}

/// How results with an id are heard.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Order {
    /// As all words, in the order in which they are made.
    Made,
    /// In that order, and numbered: all reports are one session's.
    Session,
    /// At any time later; so many can be under way at once.
    Late(usize),
}

impl World {
    fn new(name: &'static str, order: Order, start: Vec<Word>, words: Vec<Word>) -> Self {
        let all: Vec<_> = start.iter().chain(&words).copied().collect();
        let (late, session) = match order {
            Order::Made => (0, false),
            Order::Session => (0, true),
            Order::Late(late) => (late, false),
        };
        let law = Law::of(&all, &[0, 1], late, session);
        Self { name, about: "", law, start, words, depth: 4 }
    }

    /// Other lock files than one for each of two commits.
    fn locks(self, locks: &'static [u8]) -> Self {
        Self { law: Law { locks, ..self.law }, ..self }
    }

    const fn about(mut self, about: &'static str) -> Self {
        self.about = about;
        self
    }

    const fn depth(mut self, depth: usize) -> Self {
        self.depth = depth;
        self
    }
}
