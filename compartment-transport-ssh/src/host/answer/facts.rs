//! Facts, line by line. What a host says and nobody can read is unreadable, and a doubt for people.

use compartment_core::event::{Reading, RunningSystem};
use compartment_core::{Commit, LockFile, LockHash, StorePath, Text};
use compartment_local::observe::stated_revision;
use compartment_local::operation::Facts;

use super::super::frame::BadAnswer;
use super::split;

/// How many doubts are kept: more than an honest host has.
const DOUBTS: usize = 16;

/// Facts that are being read. Each is said at most once.
#[derive(Debug, Default)]
pub(super) struct Reader {
    commit: Option<Reading<Commit>>,
    dirty: Option<Reading<bool>>,
    lock_hash: Option<Reading<LockFile>>,
    path: Option<Reading<StorePath>>,
    system: RunningSystem,
    apart: Option<Text>,
    doubts: Vec<Text>,
}

impl Reader {
    /// Takes a line such as `commit = abc…` or `lock ? why not`; false where it is no fact.
    pub(super) fn take(&mut self, line: &str) -> Result<bool, BadAnswer> {
        let (name, rest) = split(line);
        let said = match split(rest) {
            ("=", value) => Ok(value),
            ("?", why) => Err(why),
            _ => return Ok(false),
        };
        let doubts = &mut self.doubts;
        match name {
            "commit" => {
                once("commit", &mut self.commit, reading(name, said, doubts, |raw| Commit::new(raw).ok()))?
            }
            "dirty" => once("dirty", &mut self.dirty, reading(name, said, doubts, truth))?,
            "lock" => once("lock", &mut self.lock_hash, reading(name, said, doubts, lock_file))?,
            "system" => {
                once("system", &mut self.path, reading(name, said, doubts, |raw| StorePath::new(raw).ok()))?
            }
            "state" => doubts.extend(said.err().map(Text::new)),
            "apart" => self.apart = said.ok().map(Text::new),
            "number" => self.system.number = said.ok().and_then(|raw| raw.parse().ok()),
            "darwin" => match stated_revision(said.unwrap_or_default()) {
                Ok(commit) => self.system.commit = commit,
                Err(error) => {
                    doubts.push(Text::new(&format!("cannot read the system's darwin-version.json: {error}")));
                    self.path = Some(Reading::Unreadable);
                }
            },
            "nixos" => {
                let stated = stated_revision(said.unwrap_or_default()).ok().flatten();
                self.system.commit = self.system.commit.or(stated);
            }
            _ => return Ok(false),
        }
        Ok(true)
    }

    pub(super) fn facts(self) -> Facts {
        let Self { commit, dirty, lock_hash, path, system, apart, mut doubts } = self;
        doubts.truncate(DOUBTS);
        let system = match path.unwrap_or_default() {
            Reading::Told(path) => Reading::Told(Box::new(RunningSystem { path: Some(path), ..system })),
            Reading::Absent => Reading::Absent,
            Reading::Unreadable => Reading::Unreadable,
        };
        Facts {
            commit: commit.unwrap_or_default(),
            dirty: dirty.unwrap_or_default(),
            lock_hash: lock_hash.unwrap_or_default(),
            system,
            apart,
            doubts,
        }
    }
}

fn once<T>(part: &'static str, place: &mut Option<Reading<T>>, reading: Reading<T>) -> Result<(), BadAnswer> {
    match place.replace(reading) {
        None => Ok(()),
        Some(_) => Err(BadAnswer::part(part, "it is there twice")),
    }
}

fn reading<T>(
    name: &str,
    said: Result<&str, &str>,
    doubts: &mut Vec<Text>,
    parse: impl FnOnce(&str) -> Option<T>,
) -> Reading<T> {
    let doubt = match said.map(|raw| (raw, parse(raw))) {
        Ok((_, Some(value))) => return Reading::Told(value),
        Ok((raw, None)) => Text::cut(&format!("the host says of its {name} what it cannot be: {raw}"), 400),
        Err(why) => Text::new(why),
    };
    // One cause for several parts is said once.
    if !doubts.contains(&doubt) {
        doubts.push(doubt);
    }
    Reading::Unreadable
}

/// A hash, or `-`: looked, and there is none.
fn lock_file(raw: &str) -> Option<LockFile> {
    match raw {
        "-" => Some(LockFile::NoFile),
        raw => LockHash::new(raw).ok().map(LockFile::Hash),
    }
}

fn truth(raw: &str) -> Option<bool> {
    match raw {
        "0" => Some(false),
        "1" => Some(true),
        _ => None,
    }
}
