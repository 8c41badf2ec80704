//! What is known after a history: the set of all runs of an honest host that fit it.
//!
//! The sets are states of an automaton over the words of a world. Each is worked out once, however many histories
//! lead to it.

use std::collections::HashMap;
use std::hash::BuildHasher;

use foldhash::fast::FixedState;

use crate::choice::Every;
use crate::host::{Law, Run, Truth};
use crate::word::Word;

/// The place of a set in [`Beliefs`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Belief(u32);

/// What is true in every run that fits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Known {
    /// No run fits.
    Nothing,
    /// In all that fit: true, or not.
    Always(Truth),
}

#[derive(Debug)]
struct Node {
    /// The runs that fit, right after the last word.
    runs: Box<[Run]>,
    /// These, and all that become of them by hidden steps.
    closed: Option<Box<[Run]>>,
    next: Box<[Option<Belief>]>,
    known: Box<[Known]>,
}

/// The sets of runs of one world.
#[derive(Debug)]
pub struct Beliefs {
    law: Law,
    words: Vec<Word>,
    nodes: Vec<Node>,
    by_hash: HashMap<u64, Vec<u32>, FixedState>,
}

impl Beliefs {
    /// The beliefs of hosts under a law, over an alphabet.
    #[must_use]
    pub fn new(law: &Law, words: &[Word]) -> Self {
        let mut beliefs =
            Self { law: law.clone(), words: words.to_vec(), nodes: Vec::new(), by_hash: HashMap::default() };
        beliefs.place(Run::all(law));
        beliefs
    }

    /// What is known before the first word.
    #[must_use]
    pub const fn first(&self) -> Belief {
        Belief(0)
    }

    /// What is known after one more word, by its place in the alphabet.
    pub fn after(&mut self, belief: Belief, word: usize) -> Belief {
        if let Some(next) = self.nodes[belief.0 as usize].next[word] {
            return next;
        }
        let law = self.law.clone();
        let said = self.words[word];
        let node = &mut self.nodes[belief.0 as usize];
        let runs = if said.is_report() {
            let closed = node.closed.get_or_insert_with(|| close(&law, &node.runs).into());
            say(&law, closed, &said)
        } else {
            say(&law, &node.runs, &said)
        };
        let next = self.place(runs);
        self.nodes[belief.0 as usize].next[word] = Some(next);
        next
    }

    /// What is true in every run that fits, where this commit is desired.
    #[must_use]
    pub fn known(&self, belief: Belief, desired: u8) -> Known {
        self.nodes[belief.0 as usize].known[usize::from(desired)]
    }

    /// How many runs fit.
    #[must_use]
    pub fn runs(&self, belief: Belief) -> &[Run] {
        &self.nodes[belief.0 as usize].runs
    }

    /// How many sets were met, and how many runs the largest has.
    #[must_use]
    pub fn size(&self) -> (usize, usize) {
        (self.nodes.len(), self.nodes.iter().map(|node| node.runs.len()).max().unwrap_or(0))
    }

    fn place(&mut self, mut runs: Vec<Run>) -> Belief {
        runs.sort_unstable();
        runs.dedup();
        let hash = FixedState::default().hash_one(&runs);
        let same = self.by_hash.entry(hash).or_default();
        if let Some(place) = same.iter().find(|place| *self.nodes[**place as usize].runs == *runs) {
            return Belief(*place);
        }
        let place = self.nodes.len() as u32;
        same.push(place);
        let known = (0..self.law.locks.len() as u8).map(|desired| known(&self.law, &runs, desired)).collect();
        let next = vec![None; self.words.len()].into();
        self.nodes.push(Node { runs: runs.into(), closed: None, next, known });
        Belief(place)
    }
}

fn known(law: &Law, runs: &[Run], desired: u8) -> Known {
    runs.iter().filter(|run| run.counts()).map(|run| run.truth(law, desired)).fold(
        Known::Nothing,
        |known, truth| match known {
            Known::Nothing => Known::Always(truth),
            Known::Always(all) => Known::Always(Truth {
                git: all.git & truth.git,
                lock: all.lock & truth.lock,
                system: all.system & truth.system,
                tests: all.tests & truth.tests,
            }),
        },
    )
}

/// These runs, and all that become of them by hidden steps.
#[must_use]
pub fn close(law: &Law, runs: &[Run]) -> Vec<Run> {
    let mut closed: std::collections::HashSet<Run, FixedState> = runs.iter().copied().collect();
    let mut open = runs.to_vec();
    while let Some(run) = open.pop() {
        Every::explore(|every| {
            let mut run = run;
            if run.hidden(law, every).is_some() && closed.insert(run) {
                open.push(run);
            }
        });
    }
    closed.into_iter().collect()
}

/// What becomes of runs that say a word.
#[must_use]
pub fn say(law: &Law, runs: &[Run], word: &Word) -> Vec<Run> {
    let mut said = Vec::new();
    for run in runs {
        Every::explore(|every| {
            let mut run = *run;
            if run.says(law, word, every).is_some() {
                said.push(run);
            }
        });
    }
    said
}
