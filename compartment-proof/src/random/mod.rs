//! Long histories by chance: a fleet of honest hosts, each with one true run, and a hub that folds what they say.

mod fleet;
mod host;

use std::collections::BTreeMap;
use std::thread;

use compartment_core::Compartment;

pub use fleet::Stretch;

/// What a long run covered and found.
#[derive(Clone, Debug, Default)]
pub struct Walked {
    /// Histories.
    pub histories: u64,
    /// Words that were heard.
    pub steps: u64,
    /// Cells judged right after a word, while all that has happened was told.
    pub judged: u64,
    /// How many of them were green, by cell.
    pub green: [u64; 4],
    /// How many were true, by cell.
    pub truths: [u64; 4],
    /// True and not green, by rule. In one run alone: what others that fit would say is not asked here.
    pub unproven: BTreeMap<&'static str, u64>,
    /// Times at which a full agent did one honest update, and how often that did not lead to all green.
    pub updates: u64,
    /// Hub restarts.
    pub restarts: u64,
    /// What was wrong, with its history.
    pub wrong: Vec<Wrong>,
}

/// Something that must not be.
#[derive(Clone, Debug)]
pub struct Wrong {
    /// What is wrong.
    pub what: Fault,
    /// The seed of its history.
    pub seed: u64,
    /// How many of its steps are needed.
    pub steps: usize,
    /// The history as NDJSON, without the steps that are not needed, and the run that is its witness: what happened
    /// before each word.
    pub history: String,
}

/// What can be wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fault {
    /// Green, and not true.
    FalseGreen(Compartment, &'static str),
    /// Blue past every deadline.
    Blue(Compartment),
    /// One honest update by a full agent, and not all green: the rules that speak.
    Stuck(String),
    /// A restart from a snapshot, or a replay of what was kept, shows something else.
    Restart,
}

impl Walked {
    /// How many faults there are: false greens, blue without end, stuck, restarts that differ.
    #[must_use]
    pub fn faults(&self) -> [u64; 4] {
        let mut faults = [0; 4];
        for wrong in &self.wrong {
            let place = match wrong.what {
                Fault::FalseGreen(..) => 0,
                Fault::Blue(_) => 1,
                Fault::Stuck(_) => 2,
                Fault::Restart => 3,
            };
            faults[place] += 1;
        }
        faults
    }

    /// Adds what another walk covered.
    pub fn add(&mut self, other: Self) {
        self.histories += other.histories;
        self.steps += other.steps;
        self.judged += other.judged;
        self.green.iter_mut().zip(other.green).for_each(|(sum, one)| *sum += one);
        self.truths.iter_mut().zip(other.truths).for_each(|(sum, one)| *sum += one);
        for (rule, count) in other.unproven {
            *self.unproven.entry(rule).or_default() += count;
        }
        self.updates += other.updates;
        self.restarts += other.restarts;
        self.wrong.extend(other.wrong);
    }
}

/// Walks on as many threads as there are processors. Every thread has its own seeds.
#[must_use]
pub fn walk_all(seed: u64, steps: u64, most_wrong: usize) -> Walked {
    let threads = thread::available_parallelism().map_or(1, usize::from) as u64;
    let mut walked = Walked::default();
    thread::scope(|scope| {
        // Far apart, so that the seeds of one are not those of another.
        let seeds = (0..threads).map(|thread| seed.wrapping_add(thread << 32));
        let walks: Vec<_> =
            seeds.map(|seed| scope.spawn(move || walk(seed, steps / threads, most_wrong))).collect();
        for walk in walks {
            walked.add(walk.join().unwrap_or_default());
        }
    });
    walked
}

impl Fault {
    fn is_like(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::FalseGreen(cell, _), Self::FalseGreen(other, _))
            | (Self::Blue(cell), Self::Blue(other)) => cell == other,
            (Self::Stuck(_), Self::Stuck(_)) | (Self::Restart, Self::Restart) => true,
            (Self::FalseGreen(..) | Self::Blue(_) | Self::Stuck(_) | Self::Restart, _) => false,
        }
    }
}

/// Walks until this many words were heard, or this many things were wrong.
#[must_use]
pub fn walk(seed: u64, steps: u64, most_wrong: usize) -> Walked {
    let mut walked = Walked::default();
    let mut seeds = fastrand::Rng::with_seed(seed);
    while walked.steps < steps && walked.wrong.len() < most_wrong {
        let seed = seeds.u64(..);
        Stretch::walk(seed, &mut walked);
        walked.histories += 1;
    }
    walked
}
