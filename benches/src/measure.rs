//! Counting, timing and saying what came out.

use std::time::{Duration, Instant};

/// How much is measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scale {
    /// What the README shows.
    Full,
    /// A smoke test: that everything runs, and roughly as it should.
    Quick,
}

impl Scale {
    /// `--quick` asks for a smoke test.
    #[must_use]
    pub fn asked() -> Self {
        if std::env::args().any(|arg| arg == "--quick") { Self::Quick } else { Self::Full }
    }

    /// One of the two.
    pub fn pick<T>(self, full: T, quick: T) -> T {
        match self {
            Self::Full => full,
            Self::Quick => quick,
        }
    }
}

/// How long something takes, and what it gives.
pub fn timed<T>(work: impl FnOnce() -> T) -> (Duration, T) {
    let start = Instant::now();
    let made = work();
    (start.elapsed(), made)
}

/// The middle one.
///
/// # Panics
/// Where there is none.
#[must_use]
pub fn median(values: impl IntoIterator<Item = f64>) -> f64 {
    let mut values: Vec<_> = values.into_iter().collect();
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

/// Some work of one size, done several ways in turn: what each took in every round.
#[derive(Debug)]
pub struct Rounds<const WAYS: usize> {
    work: usize,
    rounds: Vec<[Duration; WAYS]>,
}

impl<const WAYS: usize> Rounds<WAYS> {
    /// Rounds of `work` items each.
    #[must_use]
    pub const fn of(work: usize) -> Self {
        Self { work, rounds: Vec::new() }
    }

    /// What one round took.
    pub fn push(&mut self, round: [Duration; WAYS]) {
        self.rounds.push(round);
    }

    /// Millions of items a second.
    #[must_use]
    pub fn rate(&self, way: usize) -> f64 {
        median(self.rounds.iter().map(|round| self.work as f64 / round[way].as_secs_f64() / 1e6))
    }

    /// How many times as fast one way is as another: the median of the rounds, each held against itself.
    #[must_use]
    pub fn ratio(&self, way: usize, other: usize) -> f64 {
        median(self.rounds.iter().map(|round| round[other].as_secs_f64() / round[way].as_secs_f64()))
    }
}

/// A number held against its aim: `>= aim`, in words.
#[must_use]
pub fn at_least(value: f64, aim: f64) -> &'static str {
    if value >= aim { "met" } else { "MISSED" }
}

/// A number held against its aim: `<= aim`, in words.
#[must_use]
pub fn at_most(value: f64, aim: f64) -> &'static str {
    if value <= aim { "met" } else { "MISSED" }
}

/// The resident memory of this process in bytes: now, and at its peak. Nothing where the system does not say.
#[must_use]
pub fn resident() -> Option<(u64, u64)> {
    resident_of(std::process::id())
}

/// That of another process.
#[must_use]
pub fn resident_of(process: u32) -> Option<(u64, u64)> {
    let status = std::fs::read_to_string(format!("/proc/{process}/status")).ok()?;
    let field = |name: &str| {
        let line = status.lines().find_map(|line| line.strip_prefix(name))?;
        line.trim().strip_suffix(" kB")?.parse::<u64>().ok().map(|kib| kib * 1024)
    };
    Some((field("VmRSS:")?, field("VmHWM:")?))
}
