//! The five cells: one file each, and nowhere else is a status judged (CORE-006, section 4).
//!
//! Every file has the same four parts: a small `View` made of enums, which is all that the rule sees; the rule
//! `judge`, in the order and with the numbers of CORE-006; the `Reason`s that it can give, each with its rule
//! number, status and code; and the evidence in words. Enumerating the views is therefore exhaustive. What the
//! views of Git and Lock are made of where a host has no checkout is in `pushed.rs`.

pub mod agent;
pub mod git;
pub mod lock;
mod proof;
mod pushed;
pub mod system;
pub mod tests;
mod words;

pub use proof::DesiredView;
pub(crate) use proof::{checkout_commit_proven, checkout_lock_proven};

use core::fmt;

use alloc::string::String;
use alloc::vec::Vec;

use crate::channel::Channel;
use crate::event::words;
use crate::fleet::Fleet;
use crate::host::Host;
use crate::time::Timestamp;

words! {
    /// The five questions, in the order of the pipeline.
    Compartment {
        /// Is the tool on the host the released one?
        Agent = "agent",
        /// Is the host's checkout the desired commit?
        Git = "git",
        /// Are its dependencies the desired ones?
        Lock = "lock",
        /// Is the running system built from the desired state?
        System = "system",
        /// Does the running system work?
        Tests = "tests",
    }

    /// What a cell says.
    Status {
        /// Proven current, or passed.
        Ok = "ok",
        /// An action is due, or the proof is missing.
        Outdated = "outdated",
        /// Something failed.
        Error = "error",
        /// An operation runs now.
        Working = "working",
        /// No signal yet, or switched off.
        Unknown = "unknown",
    }

    /// How a status is shown.
    Color {
        /// [`Status::Ok`].
        Green = "green",
        /// [`Status::Outdated`].
        Yellow = "yellow",
        /// [`Status::Error`].
        Red = "red",
        /// [`Status::Working`].
        Blue = "blue",
        /// [`Status::Unknown`].
        Gray = "gray",
    }
}

impl Status {
    /// Its colour.
    #[must_use]
    pub const fn color(self) -> Color {
        match self {
            Self::Ok => Color::Green,
            Self::Outdated => Color::Yellow,
            Self::Error => Color::Red,
            Self::Working => Color::Blue,
            Self::Unknown => Color::Gray,
        }
    }
}

/// What a reason stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Verdict {
    /// The number of the rule in CORE-006, such as `S5`.
    pub rule: &'static str,
    /// The status.
    pub status: Status,
    /// The reason's stable name, for machines.
    pub code: &'static str,
}

/// The reasons of one cell, each with its rule, status and code. No status is without one.
macro_rules! reasons {
    ($($(#[$doc:meta])* $variant:ident = $rule:literal $status:ident $code:literal,)+) => {
        /// Why the cell is as it is.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Reason { $($(#[$doc])* $variant,)+ }

        impl Reason {
            /// Every reason, by rule.
            pub const ALL: &'static [Self] = &[$(Self::$variant),+];

            /// Its rule, status and code.
            #[must_use]
            pub const fn verdict(self) -> $crate::compartment::Verdict {
                let (rule, status, code) = match self {
                    $(Self::$variant => ($rule, $crate::compartment::Status::$status, $code),)+
                };
                $crate::compartment::Verdict { rule, status, code }
            }
        }
    };
}
use reasons;

/// A part of a view: an enum whose values can be listed, so that views can be enumerated.
macro_rules! view_part {
    ($($(#[$doc:meta])* $name:ident { $($(#[$vdoc:meta])* $variant:ident,)+ })+) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum $name { $($(#[$vdoc])* $variant,)+ }

        impl $name {
            /// Every value.
            pub const ALL: &'static [Self] = &[$(Self::$variant),+];
        }
    )+};
}
pub(crate) use view_part;

/// What a cell is judged by: one host, what its channel and the fleet know, and the reader's clock.
#[derive(Clone, Copy)]
pub struct Evidence<'a> {
    pub(crate) fleet: &'a Fleet,
    pub(crate) host: &'a Host,
    pub(crate) channel: &'a Channel,
    pub(crate) now: Timestamp,
}

impl<'a> Evidence<'a> {
    pub(crate) fn new(fleet: &'a Fleet, host: &'a Host, now: Timestamp) -> Self {
        Self { fleet, host, channel: fleet.channel_of(host), now }
    }
}

/// One fact that a cell's rule used, in words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fact {
    /// What it is.
    pub name: &'static str,
    /// What is known of it.
    pub value: String,
}

impl Fact {
    fn new(name: &'static str, value: impl fmt::Display) -> Self {
        Self { name, value: alloc::format!("{value}") }
    }
}

/// The five reasons of a host: all that a row's colours need, in five bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Cells {
    /// Is the tool on the host the released one?
    pub agent: agent::Reason,
    /// Is the host's checkout the desired commit?
    pub git: git::Reason,
    /// Are its dependencies the desired ones?
    pub lock: lock::Reason,
    /// Is the running system built from the desired state?
    pub system: system::Reason,
    /// Does the running system work?
    pub tests: tests::Reason,
}

impl Cells {
    pub(crate) fn judge(evidence: &Evidence<'_>) -> Self {
        Self {
            agent: agent::judge(agent::View::of(evidence)),
            git: git::judge(git::View::of(evidence)),
            lock: lock::judge(lock::View::of(evidence)),
            system: system::judge(system::View::of(evidence)),
            tests: tests::judge(tests::View::of(evidence)),
        }
    }

    /// The verdict of one cell.
    #[must_use]
    pub const fn verdict(&self, compartment: Compartment) -> Verdict {
        match compartment {
            Compartment::Agent => self.agent.verdict(),
            Compartment::Git => self.git.verdict(),
            Compartment::Lock => self.lock.verdict(),
            Compartment::System => self.system.verdict(),
            Compartment::Tests => self.tests.verdict(),
        }
    }

    /// The five verdicts, left to right.
    pub fn verdicts(&self) -> impl Iterator<Item = (Compartment, Verdict)> {
        Compartment::ALL.iter().map(|compartment| (*compartment, self.verdict(*compartment)))
    }

    /// The status of one cell.
    #[must_use]
    pub const fn status(&self, compartment: Compartment) -> Status {
        self.verdict(compartment).status
    }

    /// The sentence of one cell, which names the evidence.
    pub(crate) fn sentence(&self, compartment: Compartment, evidence: &Evidence<'_>) -> String {
        match compartment {
            Compartment::Agent => agent::sentence(self.agent, evidence),
            Compartment::Git => git::sentence(self.git, evidence),
            Compartment::Lock => lock::sentence(self.lock, evidence),
            Compartment::System => system::sentence(self.system, evidence),
            Compartment::Tests => tests::sentence(self.tests, evidence),
        }
    }
}

/// The facts that a cell's rule uses.
pub(crate) fn facts(compartment: Compartment, evidence: &Evidence<'_>) -> Vec<Fact> {
    match compartment {
        Compartment::Agent => agent::facts(evidence),
        Compartment::Git => git::facts(evidence),
        Compartment::Lock => lock::facts(evidence),
        Compartment::System => system::facts(evidence),
        Compartment::Tests => tests::facts(evidence),
    }
}
