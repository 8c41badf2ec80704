//! Given these events, when this, then exactly that.

use std::boxed::Box;
use std::prelude::rust_2024::*;

use crate::compartment::{Cells, Compartment};
use crate::decide::refused;
use crate::event::Event;
use crate::matrix::{ReadOptions, Row};
use crate::{
    Actor, Ask, Changes, Commit, Fleet, HostId, LockHash, OpId, Record, Refusal, Request, Span, StorePath,
    Timestamp, Work, decide, outstanding,
};

/// The commit whose digits are all `digit`.
#[must_use]
pub fn commit(digit: char) -> Commit {
    Commit::new(&digit.to_string().repeat(40)).expect("a hex digit")
}

/// The lock whose digits are all `digit`.
#[must_use]
pub fn lock(digit: char) -> LockHash {
    LockHash::new(&digit.to_string().repeat(64)).expect("a hex digit")
}

/// The host of this name.
#[must_use]
pub fn host(name: &str) -> HostId {
    HostId::new(name).expect("a host id")
}

/// The operation of this name.
#[must_use]
pub fn op(name: &str) -> OpId {
    OpId::new(name).expect("an operation id")
}

/// The path of a system of this name.
#[must_use]
pub fn path(name: &str) -> StorePath {
    StorePath::new(&format!("/nix/store/{name}-system")).expect("a path")
}

/// One step of a history.
#[derive(Clone, Debug, PartialEq)]
pub enum Step {
    /// Something happens.
    Event(Box<Event>),
    /// Time passes.
    Wait(Span),
}

impl<E: Into<Event>> From<E> for Step {
    fn from(event: E) -> Self {
        Self::Event(Box::new(event.into()))
    }
}

/// Time passes.
#[must_use]
pub const fn wait(span: Span) -> Step {
    Step::Wait(span)
}

/// A list of steps: `log![heartbeat("gpc0").at('a'), wait(Span::from_mins(1)), …]`.
#[macro_export]
#[doc(hidden)]
macro_rules! __log {
    ($($step:expr),* $(,)?) => { [$($crate::testing::Step::from($step)),*] };
}
pub use __log as log;

/// A history and the fleet that it folds into. Every event comes one second after the one before it.
#[derive(Clone, Debug, Default)]
pub struct Scenario {
    /// The fleet.
    pub fleet: Fleet,
    /// The log.
    pub records: Vec<Record>,
    /// What the last event changed.
    pub changes: Changes,
    /// The fleet of a hub to which all of it was offered.
    offered: Fleet,
    /// The fleet into which a replay folds what that hub's log has kept.
    replayed: Fleet,
    now: Option<Timestamp>,
}

impl Scenario {
    /// The first moment of every scenario: a Monday, 2026-01-05T10:00:00Z.
    #[must_use]
    pub fn start() -> Timestamp {
        "2026-01-05T10:00:00Z".parse().expect("a time")
    }

    /// A history up to here.
    #[must_use]
    pub fn given(steps: impl IntoIterator<Item = Step>) -> Self {
        Self::default().when(steps)
    }

    /// What happens next.
    #[must_use]
    pub fn when(mut self, steps: impl IntoIterator<Item = Step>) -> Self {
        for step in steps {
            match step {
                Step::Wait(span) => self.now = Some(self.now() + span),
                Step::Event(event) => self.happens(*event),
            }
        }
        self
    }

    fn happens(&mut self, event: Event) {
        let at = self.now.map_or_else(Self::start, |now| now + Span::from_secs(1));
        self.now = Some(at);
        let record = Record { position: self.fleet.position() + 1, at, event };
        self.changes = self.fleet.apply(&record);
        let offered = self.offered.offer(&record);
        assert_eq!(offered.changes, self.changes, "what is offered changes what it does when it is applied");
        if offered.kept {
            self.replayed.apply(&record);
        }
        self.records.push(record);
    }

    /// Somebody asks for something: what is decided happens, a refusal too.
    ///
    /// # Errors
    /// [`Refusal`], as [`decide()`] gives it.
    pub fn asked(&mut self, name: &str, ask: Ask) -> Result<(), Refusal> {
        let by = Actor::new("mba").expect("an actor");
        let request = Request { op: op(name), by, ask, deliver_by: None };
        let decided = decide(&self.fleet, &request, self.now());
        match &decided {
            Ok(decisions) => decisions.iter().for_each(|decision| self.happens(decision.clone().into())),
            Err(refusal) => self.happens(refused(&request, refusal).into()),
        }
        decided.map(|_| ())
    }

    /// What has to be done now.
    #[must_use]
    pub fn work(&self) -> Vec<Work> {
        outstanding(&self.fleet, self.now())
    }

    /// The present.
    #[must_use]
    pub fn now(&self) -> Timestamp {
        self.now.unwrap_or_else(Self::start)
    }

    /// The five reasons of a host.
    ///
    /// # Panics
    /// If the host is not known, or if a replay of what a log keeps shows something else (CORE-006 K10).
    #[must_use]
    #[track_caller]
    pub fn cells(&self, name: &str) -> Cells {
        let cells = |fleet: &Fleet| {
            let index = fleet.index_of(&host(name)).expect("a known host");
            fleet.cells(index, self.now())
        };
        let shown = cells(&self.fleet);
        assert_eq!(shown, cells(&self.offered), "what was offered shows something else");
        assert_eq!(shown, cells(&self.replayed), "a replay of what is kept shows something else");
        let replayed = outstanding(&self.replayed, self.now());
        assert_eq!(self.work(), replayed, "a replay of what is kept has other work");
        shown
    }

    /// The rules that decided a host's cells: `A1 G6 L5 S10 T8`.
    #[must_use]
    pub fn rules(&self, name: &str) -> String {
        let rules: Vec<_> = self.cells(name).verdicts().map(|(_, verdict)| verdict.rule).collect();
        rules.join(" ")
    }

    /// The colours of a host's cells: `gray green green green green`.
    #[must_use]
    pub fn colors(&self, name: &str) -> String {
        let colors: Vec<_> =
            self.cells(name).verdicts().map(|(_, verdict)| verdict.status.color().as_str()).collect();
        colors.join(" ")
    }

    /// The machine-readable reason of one cell of a host.
    ///
    /// # Panics
    /// If the host is not known.
    #[must_use]
    pub fn reason(&self, name: &str, compartment: Compartment) -> &'static str {
        self.cells(name).verdict(compartment).code
    }

    /// A host's row.
    ///
    /// # Panics
    /// If the host is not known.
    #[must_use]
    pub fn row(&self, name: &str) -> Row {
        self.fleet.row(&host(name), self.now(), &ReadOptions::default()).expect("a known host")
    }

    /// The sentence of one cell of a host.
    ///
    /// # Panics
    /// If the host is not known.
    #[must_use]
    pub fn message(&self, name: &str, compartment: Compartment) -> String {
        self.row(name).cells.message(compartment).expect("sentences were asked for").to_string()
    }

    /// Checks the rules that decided a host's cells.
    ///
    /// # Panics
    /// If others did.
    #[must_use]
    #[track_caller]
    pub fn then(self, name: &str, rules: &str) -> Self {
        assert_eq!(self.rules(name), rules, "{name}: {:#?}", self.row(name).cells);
        self
    }
}
