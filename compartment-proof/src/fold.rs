//! The fold as a black box: words in, cells out.

use compartment_core::event::Kind;
use compartment_core::{Cells, Compartment, Fleet, Record, Span, Status, Timestamp, ndjson};

use crate::host::{Law, Truth};
use crate::word::{Names, Part, Word, host};

/// What the fold shows of one host after a history.
#[derive(Clone, Debug)]
pub struct Shown {
    fleet: Fleet,
    now: Timestamp,
    number: Option<u64>,
}

/// The four cells that speak of a host's state.
pub const CELLS: [Compartment; 4] =
    [Compartment::Git, Compartment::Lock, Compartment::System, Compartment::Tests];

/// The time by which every deadline has passed.
pub const LATE: Span = Span::from_mins(61);

impl Shown {
    /// Before the first word. With a session, every report has its number in it.
    #[must_use]
    pub fn new(session: bool) -> Self {
        let now = "2026-01-05T10:00:00Z".parse().unwrap_or(Timestamp::MIN);
        Self { fleet: Fleet::new(), now, number: session.then_some(0) }
    }

    /// The next word is heard, one second after the one before.
    pub fn hear(&mut self, word: &Word, locks: &[u8]) -> Option<Record> {
        if word.is_report() {
            self.number = self.number.map(|n| n + 1);
        }
        let number = self.number.filter(|_| word.is_report());
        let Some(event) =
            word.event(&Names { host: &host(), locks, ids: [1, 2, 3, 4], number, at: Some(self.now) })
        else {
            self.now = self.now + LATE;
            return None;
        };
        self.now = self.now + Span::from_secs(1);
        let record = Record { position: self.fleet.position() + 1, at: self.now, event };
        self.fleet.apply(&record);
        Some(record)
    }

    /// The cells now, or when every deadline has passed; `None` where the host is not known.
    #[must_use]
    pub fn cells(&self, late: bool) -> Option<Cells> {
        let now = if late { self.now + LATE } else { self.now };
        self.fleet.index_of(&host()).map(|index| self.fleet.cells(index, now))
    }
}

/// Whether a cell says what is true of it.
#[must_use]
pub const fn is_true(truth: &Truth, cell: Compartment) -> bool {
    match cell {
        Compartment::Agent => true,
        Compartment::Git => truth.git,
        Compartment::Lock => truth.lock,
        Compartment::System => truth.system,
        Compartment::Tests => truth.tests,
    }
}

/// Whether a cell is green.
#[must_use]
pub fn is_green(cells: &Cells, cell: Compartment) -> bool {
    cells.status(cell) == Status::Ok
}

/// Whether a word speaks of what a cell shows. Where nothing is checked out, what is deployed answers for Git and Lock.
#[must_use]
pub const fn touches(law: &Law, word: &Word, cell: Compartment) -> bool {
    let (checkout, system, tests) = match word {
        Word::Beat { told, .. } => {
            let system = told.path.mentioned() || told.label.is_some();
            (told.names_checkout(), system, system)
        }
        Word::Started { kind, .. } | Word::Result { kind, .. } => (
            matches!(kind, Kind::Pull),
            matches!(kind, Kind::Switch | Kind::Rollback),
            matches!(kind, Kind::Test),
        ),
        Word::Rejected { .. }
        | Word::Requested { .. }
        | Word::Observed(..)
        | Word::Unavailable
        | Word::Pushed
        | Word::Merged(..)
        | Word::Wait => (false, false, false),
    };
    match cell {
        Compartment::Agent => false,
        Compartment::Git | Compartment::Lock if law.pushed => system,
        Compartment::Git | Compartment::Lock => checkout,
        Compartment::System => system,
        Compartment::Tests => tests,
    }
}

/// A history as NDJSON, for `fold`.
#[must_use]
pub fn lines(words: &[Word], locks: &[u8], session: bool) -> String {
    let mut shown = Shown::new(session);
    let records = words.iter().filter_map(|word| shown.hear(word, locks));
    let lines: Vec<_> = records.map(|record| ndjson::encode(Some(record.at), &record.event)).collect();
    lines.join("\n")
}

/// Words that name a part silently are the same as without it: what is left to say, for the shrinker.
#[must_use]
pub fn simpler(word: &Word) -> Vec<Word> {
    let mut ways = Vec::new();
    match *word {
        Word::Beat { told, running } => {
            ways.extend(simpler_told(&told).into_iter().map(|told| Word::Beat { told, running }));
            if running.is_some() {
                ways.push(Word::Beat { told, running: None });
            }
        }
        Word::Result { kind, id, end, told } => {
            ways.extend(
                simpler_told(&told)
                    .into_iter()
                    .filter(|simple| kind != Kind::Pull || simple.commit == told.commit)
                    .map(|told| Word::Result { kind, id, end, told }),
            );
        }
        Word::Started { kind, id, to: Some(_) } => ways.push(Word::Started { kind, id, to: None }),
        Word::Requested { kind, id, to: Some(_) } => ways.push(Word::Requested { kind, id, to: None }),
        Word::Started { .. }
        | Word::Rejected { .. }
        | Word::Requested { .. }
        | Word::Observed(..)
        | Word::Unavailable
        | Word::Pushed
        | Word::Merged(..)
        | Word::Wait => {}
    }
    ways
}

fn simpler_told(told: &crate::word::Told) -> Vec<crate::word::Told> {
    let mut ways = Vec::new();
    if told.commit.mentioned() {
        ways.push(crate::word::Told { commit: Part::Silent, ..*told });
    }
    if told.dirty.mentioned() {
        ways.push(crate::word::Told { dirty: Part::Silent, ..*told });
    }
    if told.lock.mentioned() {
        ways.push(crate::word::Told { lock: Part::Silent, ..*told });
    }
    if told.path.mentioned() {
        ways.push(crate::word::Told { path: Part::Silent, ..*told });
    }
    if told.label.is_some() {
        ways.push(crate::word::Told { label: None, ..*told });
    }
    ways
}
