//! Agent: is the tool on the host the released one? (CORE-006 A1 to A5)

use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::cmp::Ordering;

use super::{Evidence, Fact, reasons, view_part};
use crate::checkout::Sighting;
use crate::id::Version;

view_part! {
    /// The version that the agent reports, held against the released one.
    Reported {
        /// It never reported one.
        Never,
        /// The last one did not parse.
        Unreadable,
        /// The released one, to the letter.
        Equal,
        /// Semantically older.
        Behind,
        /// Semantically newer.
        Ahead,
        /// Another, where at least one is no semantic version; or there is no release to compare with.
        Different,
    }

    /// Whether a release is known.
    Release {
        /// It is not.
        Unknown,
        /// It is.
        Known,
    }
}

/// All that the rule sees.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct View {
    /// The agent's version.
    pub reported: Reported,
    /// The release.
    pub release: Release,
}

reasons! {
    /// The agent never reported a version.
    NeverReported = "A1" Unknown "never-reported",
    /// No release is known to compare with.
    NoRelease = "A2" Unknown "no-release",
    /// The agent is the released one.
    Current = "A3" Ok "current",
    /// The version could not be read.
    Unreadable = "A4" Outdated "unreadable",
    /// The agent is older than the release.
    Behind = "A5" Error "behind",
    /// The agent is newer than the release.
    Ahead = "A5" Error "ahead",
    /// The agent is another version than the release.
    Different = "A5" Error "different",
}

/// The rule: the first that applies decides.
#[must_use]
pub const fn judge(view: View) -> Reason {
    match (view.reported, view.release) {
        (Reported::Never, _) => Reason::NeverReported,
        (_, Release::Unknown) => Reason::NoRelease,
        (Reported::Equal, Release::Known) => Reason::Current,
        (Reported::Unreadable, Release::Known) => Reason::Unreadable,
        (Reported::Behind, Release::Known) => Reason::Behind,
        (Reported::Ahead, Release::Known) => Reason::Ahead,
        (Reported::Different, Release::Known) => Reason::Different,
    }
}

impl View {
    pub(crate) fn of(evidence: &Evidence<'_>) -> Self {
        let released = evidence.fleet.released();
        let reported = match &evidence.host.agent {
            Sighting::Never => Reported::Never,
            Sighting::Unreadable => Reported::Unreadable,
            Sighting::Known(version) => {
                released.map_or(Reported::Different, |released| compare(version, released))
            }
        };
        Self { reported, release: if released.is_some() { Release::Known } else { Release::Unknown } }
    }
}

fn compare(version: &Version, released: &Version) -> Reported {
    if version == released {
        return Reported::Equal;
    }
    let parse = |version: &Version| semver::Version::parse(version.as_str()).ok();
    match parse(version).zip(parse(released)).map(|(version, released)| version.cmp(&released)) {
        Some(Ordering::Less) => Reported::Behind,
        Some(Ordering::Greater) => Reported::Ahead,
        Some(Ordering::Equal) | None => Reported::Different,
    }
}

pub(super) fn sentence(reason: Reason, evidence: &Evidence<'_>) -> String {
    let version = reported(evidence);
    let released = evidence.fleet.released().map_or("unknown", |version| version.as_str());
    match reason {
        Reason::NeverReported => "the agent never reported its version".to_string(),
        Reason::NoRelease => format!("agent {version}; no release is known to compare it with"),
        Reason::Current => format!("agent {version} is the released one"),
        Reason::Unreadable => format!("the agent's version could not be read; {released} is released"),
        Reason::Behind => format!("agent {version} is behind the released {released}"),
        Reason::Ahead => format!("agent {version} is ahead of the released {released}"),
        Reason::Different => format!("agent {version} is not the released {released}"),
    }
}

pub(super) fn facts(evidence: &Evidence<'_>) -> Vec<Fact> {
    let released = evidence.fleet.released().map_or("unknown", |version| version.as_str());
    [Fact::new("agent version", reported(evidence)), Fact::new("released version", released)].into()
}

fn reported<'a>(evidence: &Evidence<'a>) -> &'a str {
    match &evidence.host.agent {
        Sighting::Never => "never reported",
        Sighting::Unreadable => "unreadable",
        Sighting::Known(version) => version.as_str(),
    }
}
