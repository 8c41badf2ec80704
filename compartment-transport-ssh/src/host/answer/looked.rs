//! What a look saw.

use std::time::Duration;

use compartment_core::event::{Heartbeat, Kind};
use compartment_core::{OpId, Text};
use compartment_local::operation::Facts;

use super::super::frame::{self, BadAnswer, Nonce};
use super::ended::{Ended, Writing};
use super::facts::Reader;
use super::{kind, limit_of, op, split, words};

/// How many operations that have ended the script of a look tells of at once.
const ENDED: usize = 4;

/// How many that are gone are taken from one look. The next ones come when these are acknowledged.
const GONE: usize = 16;

/// What a look saw.
///
/// What has ended is to be reported before the heartbeat: it was seen before the facts were read. Where an operation had
/// ended of which this look does not tell, its heartbeat is not to be reported at all ([`HostLook::untold`]).
#[derive(Clone, Debug, Default, PartialEq)]
pub struct HostLook {
    /// The facts, without an agent's version: there is none.
    pub heartbeat: Heartbeat,
    /// Why something could not be read, for people.
    pub doubts: Vec<Text>,
    /// The operation that runs, where it is this owner's. Where it is another's, the heartbeat's `running` alone has its
    /// kind; where that cannot be told, it is absent.
    pub running: Option<Running>,
    /// Operations that ended and were not acknowledged yet, with their evidence; at most some at once.
    pub ended: Vec<Ended>,
    /// Whether an operation ended while the facts were read, or more had ended than one look tells of. Then the facts
    /// were seen after, or during, what is still to be told, and the next look sees both in their order (CORE-006 W3).
    pub untold: bool,
    /// Operations whose runner was killed, or never came to be. Nothing is to be reported of them but that they had
    /// begun: the heartbeat says that they run no more. They are to be acknowledged, too.
    pub gone: Vec<Gone>,
    /// What the operation that was asked for has printed, where it is there.
    pub printed: Option<Printed>,
}

/// An operation that runs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Running {
    /// The operation.
    pub op: OpId,
    /// Of what kind.
    pub kind: Kind,
    /// How long all of it may take.
    pub limit: Duration,
}

/// An operation of which nobody knows what came of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Gone {
    /// The operation.
    pub op: OpId,
    /// Of what kind.
    pub kind: Kind,
}

/// What an operation has printed since an offset.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Printed {
    /// Which operation.
    pub op: OpId,
    /// Whole lines. One that is longer than a look may bring comes in pieces.
    pub lines: Vec<Text>,
    /// Where to go on next time, in bytes.
    pub next: u64,
    /// How many bytes are there from `next` on that this look could not bring.
    pub rest: u64,
}

/// Reads the answer to [`look`](super::super::look).
///
/// # Errors
/// [`BadAnswer`].
pub fn read_look(raw: &[u8], nonce: &Nonce) -> Result<HostLook, BadAnswer> {
    let mut look = HostLook::default();
    let mut facts = Reader::default();
    let mut writing: Option<Writing> = None;
    let mut printed: Option<Output<'_>> = None;
    let (mut told, mut endings) = (false, 0);
    for line in frame::lines(raw, nonce, "look")? {
        if let (Some(bytes), Some(printed)) = (line.strip_prefix(b"| "), &mut printed) {
            printed.lines.push(bytes);
            continue;
        }
        let line = frame::text(line);
        let (word, rest) = split(&line);
        match (word, &mut writing, &mut printed) {
            (":", Some(writing), _) => writing.take(rest)?,
            ("ended", ..) if endings < ENDED => {
                endings += 1;
                let next = Writing::new(op("ended", rest)?);
                look.ended.extend(writing.replace(next).and_then(Writing::ended));
            }
            ("gone", ..) => {
                let (id, what) = split(rest);
                let gone = Gone { op: op("gone", id)?, kind: kind("gone", what)? };
                look.gone.extend(Some(gone).filter(|_| look.gone.len() < GONE));
            }
            ("running", ..) if !told => {
                told = true;
                look.running = running(rest)?;
                look.heartbeat.running = Some(look.running.as_ref().map(|running| running.kind));
            }
            // Somebody else's: that it runs is all that is said of it.
            ("busy", ..) if !told => {
                told = true;
                look.heartbeat.running = Some(Some(kind("busy", rest)?));
            }
            ("untold", ..) => look.untold = true,
            ("output", _, None) => printed = Some(Output::new(rest)?),
            _ => {
                if !facts.take(&line)? {
                    return Err(BadAnswer::part("look", &line));
                }
            }
        }
    }
    look.ended.extend(writing.and_then(Writing::ended));
    look.printed = printed.map(Output::printed).transpose()?;
    let Facts { commit, dirty, lock_hash, system, apart: _, doubts } = facts.facts();
    look.heartbeat = Heartbeat { commit, dirty, lock_hash, system, ..look.heartbeat };
    look.doubts = doubts;
    Ok(look)
}

/// `-`, or `OP KIND LIMIT`.
fn running(raw: &str) -> Result<Option<Running>, BadAnswer> {
    const PART: &str = "running";
    let (id, rest) = split(raw);
    if id == "-" {
        return Ok(None);
    }
    let (what, limit) = split(rest);
    Ok(Some(Running { op: op(PART, id)?, kind: kind(PART, what)?, limit: limit_of(PART, limit)? }))
}

/// A piece of output as it comes: the last line is what was cut off, with a dot behind it.
struct Output<'a> {
    op: OpId,
    from: u64,
    size: u64,
    limit: u64,
    lines: Vec<&'a [u8]>,
}

const OUTPUT: &str = "output";

impl Output<'_> {
    /// `OP FROM SIZE LIMIT`: where it begins, how much is there in all, how much a look may bring.
    fn new(raw: &str) -> Result<Self, BadAnswer> {
        let bad = || BadAnswer::part(OUTPUT, raw);
        let [id, from, size, limit] = raw.split(' ').collect::<Vec<_>>()[..] else { return Err(bad()) };
        let number = |raw: &str| raw.parse().map_err(|_| bad());
        let (from, size, limit) = (number(from)?, number(size)?, number(limit)?);
        Ok(Self { op: op(OUTPUT, id)?, from, size, limit, lines: Vec::new() })
    }

    fn printed(mut self) -> Result<Printed, BadAnswer> {
        let rest = self.lines.pop().ok_or(BadAnswer::Missing(OUTPUT))?;
        let rest = rest.strip_suffix(b".").ok_or_else(|| BadAnswer::part(OUTPUT, &frame::text(rest)))?;
        let mut length: u64 = self.lines.iter().map(|line| line.len() as u64 + 1).sum();
        let came = length.saturating_add(rest.len() as u64);
        // The rest of a line that is just being written comes with the next look, unless it fills this one.
        if length == 0 && came >= self.limit && !rest.is_empty() {
            self.lines.push(rest);
            length = came;
        }
        let next = self.from.saturating_add(length);
        let more = self.from.saturating_add(came) < self.size;
        Ok(Printed {
            op: self.op,
            lines: self.lines.into_iter().flat_map(seen).collect(),
            next,
            rest: if more { self.size.saturating_sub(next) } else { 0 },
        })
    }
}

/// What people see as lines: a lone carriage return ends one, too.
fn seen(line: &[u8]) -> impl Iterator<Item = Text> {
    let line = line.strip_suffix(b"\r").unwrap_or(line);
    line.split(|byte| *byte == b'\r').map(|part| words(&frame::text(part)))
}
