//! Where a host could do one thing or another: one function tells its behaviour, and a chooser explores it.

/// Decides what happens where more than one thing can.
pub trait Choice {
    /// A number below `n`; zero where `n` is zero or one.
    fn pick(&mut self, n: usize) -> usize;

    /// What happens, in words, for whoever wants a witness.
    fn note(&mut self, words: impl FnOnce() -> String) {
        let _ = words;
    }
}

/// Goes through every sequence of choices, one by one.
#[derive(Debug, Default)]
pub struct Every {
    made: Vec<(usize, usize)>,
    at: usize,
}

impl Choice for Every {
    fn pick(&mut self, n: usize) -> usize {
        if n <= 1 {
            return 0;
        }
        if self.at == self.made.len() {
            self.made.push((0, n));
        }
        self.at += 1;
        self.made[self.at - 1].0
    }
}

impl Every {
    /// Calls `run` once for every sequence of choices that it can make.
    pub fn explore(mut run: impl FnMut(&mut Self)) {
        let mut every = Self::default();
        loop {
            every.at = 0;
            run(&mut every);
            every.made.truncate(every.at);
            loop {
                let Some((choice, n)) = every.made.last_mut() else { return };
                *choice += 1;
                if choice < n {
                    break;
                }
                every.made.pop();
            }
        }
    }

    /// The choices made so far, to be made again by [`Again`].
    #[must_use]
    pub fn path(&self) -> Vec<usize> {
        self.made[..self.at].iter().map(|(choice, _)| *choice).collect()
    }
}

/// Makes given choices once more, and keeps what happens in words.
#[derive(Debug, Default)]
pub struct Again {
    path: std::vec::IntoIter<usize>,
    /// What happened.
    pub told: Vec<String>,
}

impl Again {
    /// Makes these choices.
    #[must_use]
    pub fn new(path: Vec<usize>) -> Self {
        Self { path: path.into_iter(), told: Vec::new() }
    }
}

impl Choice for Again {
    fn pick(&mut self, n: usize) -> usize {
        if n <= 1 { 0 } else { self.path.next().unwrap_or(0) }
    }

    fn note(&mut self, words: impl FnOnce() -> String) {
        self.told.push(words());
    }
}

/// Chooses by chance.
#[derive(Debug)]
pub struct Chance {
    rng: fastrand::Rng,
    told: Vec<String>,
    tells: bool,
}

impl Chance {
    /// The choices of a seed. `tells`: keeps what happens in words.
    #[must_use]
    pub fn new(seed: u64, tells: bool) -> Self {
        Self { rng: fastrand::Rng::with_seed(seed), told: Vec::new(), tells }
    }

    /// What `try_it` does happens only where it comes to something.
    pub(crate) fn attempt<T>(&mut self, try_it: impl FnOnce(&mut Self) -> Option<T>) -> Option<T> {
        let before = self.told.len();
        let done = try_it(self);
        if done.is_none() {
            self.told.truncate(before);
        }
        done
    }

    /// What happened, in words.
    pub(crate) fn told(&mut self) -> Vec<String> {
        std::mem::take(&mut self.told)
    }
}

impl Choice for Chance {
    fn pick(&mut self, n: usize) -> usize {
        if n <= 1 { 0 } else { self.rng.usize(..n) }
    }

    fn note(&mut self, words: impl FnOnce() -> String) {
        if self.tells {
            self.told.push(words());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_sequence_is_made_once() {
        let mut seen = Vec::new();
        Every::explore(|every| {
            let first = every.pick(2);
            seen.push(if first == 0 { (0, 0) } else { (1, every.pick(3)) });
        });
        assert_eq!(seen, [(0, 0), (1, 0), (1, 1), (1, 2)]);
    }

    #[test]
    fn a_path_leads_to_the_same_end_again() {
        let run = |choice: &mut dyn FnMut(usize) -> usize| choice(3) * 10 + choice(2);
        let mut ends = Vec::new();
        Every::explore(|every| {
            let end = run(&mut |n| every.pick(n));
            ends.push((end, every.path()));
        });
        for (end, path) in ends {
            let mut again = Again::new(path);
            assert_eq!(run(&mut |n| again.pick(n)), end);
        }
    }
}
