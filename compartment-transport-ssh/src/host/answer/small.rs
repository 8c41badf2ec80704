//! Answers of a few words.

use compartment_core::event::GenerationNumber;
use compartment_core::{OpId, StorePath, Text};

use super::super::frame::{self, BadAnswer, Nonce};
use super::{op, split, words};

/// What came of asking an operation to stop.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Asked {
    /// It runs and will be ended; a look tells its result, within seconds.
    Asked,
    /// It does not run: it ended before, or is gone.
    NotRunning,
    /// It was never begun here, and is not begun any more: an order that comes later is [`Begun::HadIt`](super::Begun).
    NeverBegun,
    /// The wish could not be written.
    Failed,
}

/// Reads the answer to [`stop`](super::super::stop).
///
/// # Errors
/// [`BadAnswer`]; to ask again changes nothing.
pub fn read_stop(raw: &[u8], nonce: &Nonce) -> Result<Asked, BadAnswer> {
    let lines = frame::texts(raw, nonce, "stop")?;
    match lines.iter().map(AsRef::as_ref).collect::<Vec<_>>()[..] {
        ["asked"] => Ok(Asked::Asked),
        ["not-running"] => Ok(Asked::NotRunning),
        ["never-begun"] => Ok(Asked::NeverBegun),
        ["failed"] => Ok(Asked::Failed),
        [] => Err(BadAnswer::Missing("stop")),
        [line, ..] => Err(BadAnswer::part("stop", line)),
    }
}

/// What came of acknowledging operations.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Acknowledged {
    /// Those whose folders are gone, now or before.
    pub gone: Vec<OpId>,
    /// Those that are still there: they run, or could not be removed.
    pub kept: Vec<OpId>,
}

/// Reads the answer to [`acknowledge`](super::super::acknowledge).
///
/// # Errors
/// [`BadAnswer`]; to acknowledge again changes nothing.
pub fn read_acknowledge(raw: &[u8], nonce: &Nonce) -> Result<Acknowledged, BadAnswer> {
    const PART: &str = "acknowledged";
    let mut acknowledged = Acknowledged::default();
    for line in frame::texts(raw, nonce, "acknowledge")? {
        match split(&line) {
            ("gone", id) => acknowledged.gone.push(op(PART, id)?),
            ("kept", id) => acknowledged.kept.push(op(PART, id)?),
            _ => return Err(BadAnswer::part(PART, &line)),
        }
    }
    Ok(acknowledged)
}

/// One generation of the profile.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Generation {
    /// Its number.
    pub number: GenerationNumber,
    /// What it resolves to; `None` where that is gone or has no usable name.
    pub path: Option<StorePath>,
    /// Whether the profile points to it.
    pub current: bool,
}

/// Reads the answer to [`generations`](super::super::generations): sorted by number, the latest last (field case
/// F19). Empty where there is no profile.
///
/// # Errors
/// [`BadAnswer`].
pub fn read_generations(raw: &[u8], nonce: &Nonce) -> Result<Vec<Generation>, BadAnswer> {
    const PART: &str = "generation";
    let mut generations = Vec::new();
    for line in frame::texts(raw, nonce, "generations")? {
        let bad = || BadAnswer::part(PART, &line);
        let (current, rest) = match split(&line) {
            ("current", rest) => (true, rest),
            ("generation", rest) => (false, rest),
            _ => return Err(bad()),
        };
        let (number, path) = split(rest);
        let number = number.parse().map_err(|_| bad())?;
        generations.push(Generation { number, path: StorePath::new(path).ok(), current });
    }
    generations.sort_by_key(|generation| generation.number);
    Ok(generations)
}

/// How something fares on a host.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It works.
    Works,
    /// It works less well than it could, or is not needed as things are.
    Limited,
    /// It is needed, and missing.
    Missing,
}

/// One thing that was checked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// What: `git`, `sudo`, `state folder`.
    pub what: Text,
    /// How it fares.
    pub verdict: Verdict,
    /// In words: what was found, or what to do about it.
    pub words: Text,
}

/// Reads the answer to [`check`](super::super::check).
///
/// # Errors
/// [`BadAnswer`].
pub fn read_check(raw: &[u8], nonce: &Nonce) -> Result<Vec<Finding>, BadAnswer> {
    const PART: &str = "finding";
    let mut findings = Vec::new();
    for line in frame::texts(raw, nonce, "check")? {
        let (verdict, rest) = match split(&line) {
            ("works", rest) => (Verdict::Works, rest),
            ("limited", rest) => (Verdict::Limited, rest),
            ("missing", rest) => (Verdict::Missing, rest),
            _ => return Err(BadAnswer::part(PART, &line)),
        };
        let (what, said) = rest.split_once(": ").ok_or_else(|| BadAnswer::part(PART, &line))?;
        findings.push(Finding { what: words(what), verdict, words: words(said) });
    }
    Ok(findings)
}
