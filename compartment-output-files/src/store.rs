//! All files together, and what goes where there are too many.

use std::collections::{BTreeMap, HashMap};
use std::fs::{self, DirEntry};
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use compartment_core::{HostId, OpId, Text};
use compartment_runtime::{OutputPage, make_private_folder};

use crate::Limits;
use crate::file::Printed;
use crate::place::{Name, Place};

/// What a file takes of a disk is a multiple of this, as most file systems do it.
const BLOCK: u64 = 4096;

/// How many files are known line by line.
const OPENED: usize = 64;

/// The folder, as it is known.
pub(crate) struct Store {
    folder: PathBuf,
    limits: Limits,
    hosts: BTreeMap<Name, OfHost>,
    opened: HashMap<Place, Printed>,
    /// On disk.
    bytes: u64,
    /// Grows with every addition.
    clock: u64,
}

#[derive(Default)]
struct OfHost {
    operations: BTreeMap<Name, Kept>,
    bytes: u64,
}

#[derive(Clone, Copy)]
struct Kept {
    bytes: u64,
    /// By the clock of the store.
    touched: u64,
}

/// What a file of so many bytes takes of the disk. An empty one is not free.
const fn on_disk(length: u64) -> u64 {
    length.div_ceil(BLOCK).saturating_mul(BLOCK)
}

impl Store {
    /// Looks at what is there. What cannot be looked at is not known, and not touched.
    pub(crate) fn open(folder: PathBuf, limits: Limits) -> Self {
        let mut found = found(&folder);
        found.sort_unstable_by_key(|(_, modified, _)| *modified);
        let (hosts, opened) = (BTreeMap::new(), HashMap::new());
        let mut store = Self { folder, limits, hosts, opened, bytes: 0, clock: 0 };
        for (place, _, length) in found {
            store.keep(place, length);
        }
        store.forget_what_is_too_much();
        store
    }

    /// Adds lines to the output of an operation.
    pub(crate) fn append(&mut self, host: &HostId, op: &OpId, lines: &[Text]) -> io::Result<()> {
        if let Some(free) = free(&self.folder).filter(|free| *free < self.limits.least_space) {
            let words = format!("the disk has {} MiB left, which are kept for the log", free >> 20);
            return Err(io::Error::other(words));
        }
        let (place, most) = (Place::of(host, op), self.limits.of_one);
        let path = place.file(&self.folder);
        self.look(place, host, op)?;
        let added = match self.opened.get_mut(&place) {
            Some(printed) => printed.append(&path, host, op, lines, most),
            None => make_private_folder(&place.folder(&self.folder)).and_then(|()| {
                let printed = Printed::create(&path, host, op, lines, most)?;
                self.opened.insert(place, printed);
                Ok(())
            }),
        };
        if let Err(error) = added {
            // Whatever is there now is looked at anew.
            self.opened.remove(&place);
            return Err(error);
        }
        let length = self.opened.get(&place).map_or(0, Printed::length);
        self.keep(place, length);
        self.forget_what_is_too_much();
        Ok(())
    }

    /// The lines of an operation from number `from` on: a page at most.
    pub(crate) fn read(&mut self, host: &HostId, op: &OpId, from: u64) -> io::Result<OutputPage> {
        let place = Place::of(host, op);
        self.look(place, host, op)?;
        let Some(printed) = self.opened.get(&place) else {
            return Ok(OutputPage { first: from.max(1), lines: Vec::new() });
        };
        let page = printed.read(&place.file(&self.folder), from);
        if page.is_err() {
            self.opened.remove(&place);
        }
        page
    }

    /// Forgets what an operation printed.
    pub(crate) fn forget_op(&mut self, host: &HostId, op: &OpId) -> io::Result<()> {
        let place = Place::of(host, op);
        let gone = self.forget(place);
        match gone {
            Err(error) if error.kind() != ErrorKind::NotFound => Err(error),
            Ok(()) | Err(_) => Ok(()),
        }
    }

    /// Makes an operation's file known line by line, where there is one.
    fn look(&mut self, place: Place, host: &HostId, op: &OpId) -> io::Result<()> {
        if self.opened.contains_key(&place) {
            return Ok(());
        }
        let Some(printed) = Printed::open(&place.file(&self.folder), host, op)? else {
            self.drop_entry(place);
            return Ok(());
        };
        if self.opened.len() >= OPENED {
            let touched = |place: &Place| self.kept(*place).map_or(0, |kept| kept.touched);
            if let Some(oldest) = self.opened.keys().min_by_key(|place| touched(place)).copied() {
                self.opened.remove(&oldest);
            }
        }
        self.opened.insert(place, printed);
        Ok(())
    }

    fn kept(&self, place: Place) -> Option<&Kept> {
        self.hosts.get(&place.host)?.operations.get(&place.op)
    }

    /// Takes note that an operation's file has so many bytes now.
    fn keep(&mut self, place: Place, length: u64) {
        self.drop_entry(place);
        self.clock += 1;
        let kept = Kept { bytes: on_disk(length), touched: self.clock };
        let host = self.hosts.entry(place.host).or_default();
        host.bytes += kept.bytes;
        self.bytes += kept.bytes;
        host.operations.insert(place.op, kept);
        self.forget_of(place.host);
    }

    /// Forgets the oldest operations of a host until there are no more than it may have.
    fn forget_of(&mut self, host: Name) {
        while let Some(of) = self.hosts.get(&host)
            && of.operations.len() > self.limits.operations.max(1)
            && let Some(op) = oldest(of)
        {
            let _gone = self.forget(Place { host, op });
        }
    }

    /// Where all take too much, whoever has most loses the operation that was added to longest ago.
    fn forget_what_is_too_much(&mut self) {
        while self.bytes > self.limits.of_all {
            let most = self.hosts.iter().max_by_key(|(_, of)| of.bytes);
            let Some((host, op)) = most.and_then(|(host, of)| Some((*host, oldest(of)?))) else { return };
            let _gone = self.forget(Place { host, op });
        }
    }

    /// Removes an operation's file. One that cannot be removed is not counted any more, so that this ends: whatever is wrong
    /// with it, the next start finds it again.
    fn forget(&mut self, place: Place) -> io::Result<()> {
        let gone = fs::remove_file(place.file(&self.folder));
        self.opened.remove(&place);
        self.drop_entry(place);
        if !self.hosts.contains_key(&place.host) {
            // Where something else is in it, it stays.
            let _gone = fs::remove_dir(place.folder(&self.folder));
        }
        gone
    }

    fn drop_entry(&mut self, place: Place) {
        let Some(host) = self.hosts.get_mut(&place.host) else { return };
        let gone = host.operations.remove(&place.op).map_or(0, |kept| kept.bytes);
        host.bytes -= gone;
        self.bytes -= gone;
        if host.operations.is_empty() {
            self.hosts.remove(&place.host);
        }
    }
}

/// The operation of a host that was added to longest ago.
fn oldest(host: &OfHost) -> Option<Name> {
    host.operations.iter().min_by_key(|(_, kept)| kept.touched).map(|(op, _)| *op)
}

/// The files that have names of ours, with the time of their last change and their length.
fn found(folder: &Path) -> Vec<(Place, SystemTime, u64)> {
    let entries = |folder: &Path| fs::read_dir(folder).into_iter().flatten().filter_map(Result::ok);
    let name = |entry: &DirEntry| entry.file_name().to_str().and_then(Name::parse);
    let mut files = Vec::new();
    for of_host in entries(folder) {
        let Some(host) = name(&of_host) else { continue };
        for file in entries(&of_host.path()) {
            let Some(op) = name(&file) else {
                remove_draft(&file);
                continue;
            };
            let Ok(about) = file.metadata() else { continue };
            if about.is_file() {
                let modified = about.modified().unwrap_or(SystemTime::UNIX_EPOCH);
                files.push((Place { host, op }, modified, about.len()));
            }
        }
    }
    files
}

/// Removes what was left of a file that was being replaced.
fn remove_draft(file: &DirEntry) {
    let name = file.file_name();
    let draft_of = name.to_str().and_then(|name| name.strip_suffix(".new"));
    if draft_of.and_then(Name::parse).is_some() {
        // Where it stays, it is in nobody's way.
        let _gone = fs::remove_file(file.path());
    }
}

/// How many bytes the disk has left, where it says so.
#[cfg(unix)]
fn free(folder: &Path) -> Option<u64> {
    let about = rustix::fs::statvfs(folder).ok()?;
    about.f_bavail.checked_mul(about.f_frsize)
}

#[cfg(not(unix))]
fn free(_: &Path) -> Option<u64> {
    None
}
