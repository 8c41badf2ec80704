//! All histories of a world up to a length: after each, what the fold shows is held against what is known.

use std::collections::BTreeMap;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use compartment_core::{Cells, Compartment, Status};

use crate::belief::{Belief, Beliefs, Known};
use crate::fold::{CELLS, Shown, is_green, is_true, touches};
use crate::host::{IDS, Law, Run, Truth};
use crate::old_ways::{Old, OldStatus, Score};
use crate::shrink::{fitting, widest};
use crate::word::Word;
use crate::worlds::World;

/// Why a green cell is false.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Lie {
    /// A run of an honest host fits in which it is not true.
    NotTrue,
    /// No run of an honest host fits, and the last word speaks of it.
    Contradiction,
}

/// A history after which a cell is falsely green.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found {
    /// The cell.
    pub cell: Compartment,
    /// The rule by which it is green.
    pub rule: &'static str,
    /// Why that is false.
    pub lie: Lie,
    /// It is so once every deadline has passed, and not at once.
    pub late: bool,
    /// The history.
    pub words: Vec<Word>,
}

impl Found {
    /// Whether its last word is of the same kind.
    fn ends_like(&self, word: &Word) -> bool {
        self.words.last().is_some_and(|last| shape(last) == shape(word))
    }
}

/// What was covered of a world, and what was found.
#[derive(Clone, Debug, Default)]
pub struct Covered {
    /// Histories.
    pub histories: u64,
    /// Histories that no run fits.
    pub contradictions: u64,
    /// Different sets of runs.
    pub beliefs: usize,
    /// The most runs that fit one history.
    pub runs: usize,
    /// Cells that were rightly green, by cell.
    pub green: [u64; 4],
    /// Cells that are true in every run and not green, by rule.
    pub needless: BTreeMap<&'static str, Needless>,
    /// The old ways and ours, side by side, wherever a run fits: Lock and System.
    pub scores: Scores,
    /// False greens, one for each kind of last word.
    pub found: Vec<Found>,
    /// How many histories leave a cell blue although every deadline has passed, and the first of them.
    pub blue: (u64, Vec<Word>),
}

/// How two cells fare, the old way and ours.
#[derive(Clone, Copy, Debug, Default)]
pub struct Scores {
    /// Lock, green while it is younger than seven days.
    pub old_lock: Score,
    /// Lock, by its content.
    pub lock: Score,
    /// System, from the last command.
    pub old_system: Score,
    /// System, by what was reported of what runs.
    pub system: Score,
}

impl Scores {
    fn count(&mut self, old: &Old, cells: &Cells, truth: &Truth) {
        let ours = |cell| match cells.status(cell) {
            Status::Ok => OldStatus::Green,
            Status::Unknown => OldStatus::Gray,
            Status::Outdated | Status::Error | Status::Working => OldStatus::Other,
        };
        self.old_lock.count(old.lock(), truth.lock);
        self.lock.count(ours(Compartment::Lock), truth.lock);
        self.old_system.count(old.system(), truth.system);
        self.system.count(ours(Compartment::System), truth.system);
    }
}

/// True in every run that fits, and not green.
#[derive(Clone, Debug, Default)]
pub struct Needless {
    /// How often.
    pub count: u64,
    /// Whether the rule shows gray.
    pub gray: bool,
    /// The first such history among the shortest.
    pub shortest: Vec<Word>,
}

struct Search<'a> {
    world: &'a World,
    beliefs: Beliefs,
    covered: Covered,
    words: Vec<Word>,
}

/// What the words so far allow next.
#[derive(Clone, Copy, Default)]
struct Heard {
    ids: u8,
    paths: u8,
    begun: [bool; IDS],
    results: [Option<Word>; IDS],
    desired: u8,
    /// Commits that the channel has had, one bit each.
    had: u8,
    old: Old,
}

impl Heard {
    /// Names come in the order in which they are first used, and an id is one operation's.
    fn allows(&self, word: &Word) -> bool {
        if word.path().is_some_and(|path| path > self.paths) {
            return false;
        }
        // A merge that names an earlier commit of the channel is late, and moves nothing.
        if let Word::Merged(commit, _) = word
            && self.had >> commit & 1 == 1
        {
            return false;
        }
        let Some(id) = word.id() else { return true };
        if id > self.ids {
            return false;
        }
        let result = self.results[usize::from(id)];
        match word {
            // The same result once more is the one thing that is heard of an operation that has one.
            Word::Result { .. } => result.is_none_or(|heard| heard == *word),
            Word::Started { .. } => result.is_none() && !self.begun[usize::from(id)],
            Word::Rejected { .. } => result.is_none() && !self.begun[usize::from(id)] && id < self.ids,
            Word::Requested { .. } => id == self.ids,
            Word::Beat { .. }
            | Word::Observed(..)
            | Word::Unavailable
            | Word::Pushed
            | Word::Merged(..)
            | Word::Wait => true,
        }
    }

    fn repeats(&self, word: &Word) -> bool {
        word.id().is_some_and(|id| self.results[usize::from(id)] == Some(*word))
    }

    fn after(mut self, law: &Law, word: &Word) -> Self {
        self.old = self.old.hear(law, word);
        if let Some(path) = word.path() {
            self.paths = self.paths.max(path + 1);
        }
        if let Some(id) = word.id() {
            self.ids = self.ids.max(id + 1);
            match word {
                Word::Result { .. } | Word::Rejected { .. } => self.results[usize::from(id)] = Some(*word),
                Word::Started { .. } => self.begun[usize::from(id)] = true,
                Word::Requested { .. }
                | Word::Beat { .. }
                | Word::Observed(..)
                | Word::Unavailable
                | Word::Pushed
                | Word::Merged(..)
                | Word::Wait => {}
            }
        }
        if let Word::Observed(desired, _) | Word::Merged(desired, _) = word {
            self.desired = *desired;
            self.had |= 1 << desired;
        }
        self
    }
}

/// All worlds, each to its own depth, on as many threads as there are processors. In the order of the list.
#[must_use]
pub fn search_all(worlds: &[World], depth: impl Fn(&World) -> usize + Sync) -> Vec<Covered> {
    let next = AtomicUsize::new(0);
    let done: Vec<_> = worlds.iter().map(|_| OnceLock::new()).collect();
    thread::scope(|scope| {
        for _ in 0..thread::available_parallelism().map_or(1, usize::from) {
            scope.spawn(|| {
                loop {
                    let place = next.fetch_add(1, Ordering::Relaxed);
                    let Some(world) = worlds.get(place) else { return };
                    done[place].get_or_init(|| search(world, depth(world)));
                }
            });
        }
    });
    done.into_iter().map(|covered| covered.into_inner().unwrap_or_default()).collect()
}

/// Goes through all histories of a world with at most this many words after its first ones.
#[must_use]
pub fn search(world: &World, depth: usize) -> Covered {
    let mut alphabet = world.start.clone();
    alphabet.extend(&world.words);
    let beliefs = Beliefs::new(&world.law, &alphabet);
    let mut search = Search { world, beliefs, covered: Covered::default(), words: Vec::new() };
    let mut shown = Shown::new(world.law.session);
    let mut heard = Heard::default();
    let mut belief = search.beliefs.first();
    for (place, word) in world.start.iter().enumerate() {
        shown.hear(word, world.law.locks);
        heard = heard.after(&world.law, word);
        belief = search.beliefs.after(belief, place);
        search.words.push(*word);
    }
    search.go(&shown, belief, None, heard, depth);
    (search.covered.beliefs, search.covered.runs) = search.beliefs.size();
    search.covered
}

impl Search<'_> {
    /// `broken`: the word since which no run fits.
    fn go(&mut self, shown: &Shown, belief: Belief, broken: Option<Word>, heard: Heard, depth: usize) {
        if depth == 0 {
            return;
        }
        let first = self.world.start.len();
        for place in 0..self.world.words.len() {
            let word = self.world.words[place];
            if !heard.allows(&word) || (word == Word::Wait && self.words.last() == Some(&Word::Wait)) {
                continue;
            }
            let mut shown = shown.clone();
            shown.hear(&word, self.world.law.locks);
            let repeats = heard.repeats(&word);
            let belief = if repeats { belief } else { self.beliefs.after(belief, first + place) };
            let heard = heard.after(&self.world.law, &word);
            self.words.push(word);
            self.covered.histories += 1;
            let fits = self.beliefs.known(belief, heard.desired) != Known::Nothing;
            let broken = if fits { None } else { broken.or(Some(word)) };
            if self.judge(&shown, belief, broken.as_ref(), &heard, &word) {
                self.go(&shown, belief, broken, heard, depth - 1);
            }
            self.words.pop();
        }
    }

    /// Whether what follows is worth a look: not after a false green, nor where no run fits.
    fn judge(
        &mut self,
        shown: &Shown,
        belief: Belief,
        broken: Option<&Word>,
        heard: &Heard,
        word: &Word,
    ) -> bool {
        let known = self.beliefs.known(belief, heard.desired);
        if let (Known::Always(truth), Some(cells)) = (known, shown.cells(false)) {
            self.covered.scores.count(&heard.old, &cells, &truth);
        }
        let mut right = true;
        for late in [false, true] {
            let Some(cells) = shown.cells(late) else { continue };
            if late && Compartment::ALL.iter().any(|cell| cells.status(*cell) == Status::Working) {
                self.blue();
            }
            for (place, cell) in CELLS.into_iter().enumerate() {
                let green = is_green(&cells, cell);
                let lie = match known {
                    Known::Always(truth) if green && !is_true(&truth, cell) => Lie::NotTrue,
                    Known::Nothing
                        if green
                            && still_broken(&self.world.law, broken, word, cell)
                            && self.contradicts(cell, word) =>
                    {
                        Lie::Contradiction
                    }
                    Known::Always(truth) => {
                        if !late && green {
                            self.covered.green[place] += 1;
                        }
                        let verdict = cells.verdict(cell);
                        let doubt = matches!(verdict.status, Status::Outdated | Status::Unknown);
                        if !late && doubt && is_true(&truth, cell) {
                            self.needless(verdict.rule, verdict.status == Status::Unknown);
                        }
                        continue;
                    }
                    Known::Nothing => continue,
                };
                right = false;
                self.found(Found {
                    cell,
                    rule: cells.verdict(cell).rule,
                    lie,
                    late,
                    words: self.words.clone(),
                });
            }
        }
        if known == Known::Nothing {
            self.covered.contradictions += 1;
        }
        right && !self.beliefs.runs(belief).is_empty()
    }

    /// Whether really no run fits, and not only none that has as few results under way as this world has. Asked once
    /// for each kind of last word: it is a long question.
    fn contradicts(&self, cell: Compartment, word: &Word) -> bool {
        let law = &self.world.law;
        let wide = widest(law);
        let kind = |found: &Found| {
            let shorter = found.words.len() <= self.words.len();
            found.cell == cell && found.lie == Lie::Contradiction && found.ends_like(word) && shorter
        };
        wide.late == law.late
            || self.covered.found.iter().any(kind)
            || !fitting(&wide, &self.words).iter().any(Run::counts)
    }

    fn needless(&mut self, rule: &'static str, gray: bool) {
        let needless = self.covered.needless.entry(rule).or_default();
        needless.count += 1;
        needless.gray = gray;
        if needless.shortest.is_empty() || self.words.len() < needless.shortest.len() {
            needless.shortest.clone_from(&self.words);
        }
    }

    fn blue(&mut self) {
        let (count, first) = &mut self.covered.blue;
        *count += 1;
        if *count == 1 {
            first.clone_from(&self.words);
        }
    }

    fn found(&mut self, found: Found) {
        let like = |other: &&mut Found| {
            let ends = found.words.last().is_some_and(|word| other.ends_like(word));
            (other.cell, other.lie) == (found.cell, found.lie) && ends
        };
        match self.covered.found.iter_mut().find(like) {
            Some(other) if found.words.len() < other.words.len() => *other = found,
            Some(_) => {}
            None => self.covered.found.push(found),
        }
    }
}

/// A word without its values.
fn shape(word: &Word) -> String {
    match word {
        Word::Beat { told, running } => {
            format!("beat {} {} {running:?}", told.names_checkout(), told.names_system())
        }
        Word::Started { kind, id, .. } => format!("{kind} {}", id.is_some()),
        Word::Result { kind, id, end, .. } => format!("{kind} {} {end:?}", id.is_some()),
        Word::Rejected { .. } => "rejected".to_string(),
        Word::Requested { .. } => "requested".to_string(),
        Word::Observed(..) | Word::Unavailable | Word::Merged(..) => "channel".to_string(),
        Word::Pushed => "configured".to_string(),
        Word::Wait => "wait".to_string(),
    }
}

/// Whether a cell speaks of what the words contradict each other about: the word that no run fits touches it, and so
/// does the last one, which is the same or looks at the same again. A result after it is news.
fn still_broken(law: &Law, broken: Option<&Word>, word: &Word, cell: Compartment) -> bool {
    let again = |broken: &Word| matches!(word, Word::Beat { .. }) && word.path() == broken.path();
    broken.is_some_and(|broken| {
        touches(law, broken, cell) && touches(law, word, cell) && (again(broken) || broken == word)
    })
}
