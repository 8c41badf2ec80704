//! Durability, proven by a trace of what reached the disk: SIGKILL keeps the page cache, a power cut does not.
//!
//! A victim runs under `strace`. At every acknowledgement the disk is built as a power cut would leave it: what was
//! synced before is there, and of what was not, nothing, or some of it, whole or torn. The log opens, and has
//! everything that was acknowledged.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader};
use std::path::Path;

use super::check::{Acknowledged, holds, note};
use super::{strace, victim};

/// What was written to one file.
#[derive(Clone, Debug, Default)]
struct File {
    durable: Vec<u8>,
    /// Done, and not synced.
    pending: Vec<Change>,
    /// Its folder was synced since it was created.
    entered: bool,
}

#[derive(Clone, Debug)]
enum Change {
    Write { offset: usize, bytes: Vec<u8> },
    Truncate(usize),
}

impl Change {
    fn apply(&self, file: &mut Vec<u8>) {
        match self {
            Self::Write { offset, bytes } => {
                let end = offset + bytes.len();
                if file.len() < end {
                    file.resize(end, 0);
                }
                file[*offset..end].copy_from_slice(bytes);
            }
            Self::Truncate(length) => file.resize(*length, 0),
        }
    }

    /// What a power cut in the middle of it leaves: the first sectors of it.
    fn torn(&self) -> Self {
        match self {
            Self::Write { offset, bytes } => {
                let sectors = fastrand::usize(0..=bytes.len() / 512);
                Self::Write { offset: *offset, bytes: bytes[..(sectors * 512).min(bytes.len())].to_vec() }
            }
            Self::Truncate(length) => Self::Truncate(*length),
        }
    }
}

/// A call that has begun.
#[derive(Clone, Debug)]
struct Call {
    name: String,
    arguments: String,
    /// How many changes of its file were done when it began: a sync vouches for no others.
    done_before: usize,
}

impl Call {
    /// The path behind the call's file descriptor.
    fn file(&self) -> Option<String> {
        let (_, rest) = self.arguments.split_once('<')?;
        Some(text(rest.split_once('>')?.0))
    }

    /// The first string among its arguments.
    fn bytes(&self) -> Option<Vec<u8>> {
        let (_, rest) = self.arguments.split_once('"')?;
        Some(unescaped(rest.split_once('"')?.0))
    }

    /// The last number among its arguments.
    fn last_number(&self) -> usize {
        self.arguments.rsplit(", ").next().unwrap().trim_end_matches(')').trim().parse().unwrap()
    }
}

/// `\x41\x42` as bytes; whatever is not escaped stands for itself.
fn unescaped(text: &str) -> Vec<u8> {
    let (mut bytes, mut rest) = (Vec::with_capacity(text.len() / 4), text.as_bytes());
    while let Some((first, tail)) = rest.split_first() {
        if let [b'\\', b'x', high, low, tail @ ..] = rest {
            let digit = |digit: &u8| (*digit as char).to_digit(16).unwrap() as u8;
            bytes.push(digit(high) << 4 | digit(low));
            rest = tail;
        } else {
            bytes.push(*first);
            rest = tail;
        }
    }
    bytes
}

fn text(escaped: &str) -> String {
    String::from_utf8(unescaped(escaped)).unwrap()
}

/// The disk of a victim, as far as its log is concerned.
struct Disk {
    folder: String,
    files: BTreeMap<String, File>,
    running: BTreeMap<String, Call>,
    acknowledged: Acknowledged,
}

impl Disk {
    /// The name of a file of the log, in the victim's folder.
    fn name(&self, path: &str) -> Option<String> {
        let name = path.strip_prefix(&self.folder)?.strip_prefix('/')?;
        ["log.sqlite", "log.sqlite-wal"].contains(&name).then(|| name.to_owned())
    }

    fn begins(&self, name: &str, arguments: &str) -> Call {
        let mut call = Call { name: name.to_owned(), arguments: arguments.to_owned(), done_before: 0 };
        let file = call.file().and_then(|path| self.files.get(&self.name(&path)?));
        call.done_before = file.map_or(0, |file| file.pending.len());
        call
    }

    fn ends(&mut self, call: &Call, result: &str) {
        // It failed, or its process was gone before it returned.
        if result.starts_with(['-', '?']) {
            return;
        }
        match call.name.as_str() {
            "openat" => {
                let path = text(&String::from_utf8(call.bytes().unwrap()).unwrap());
                if let Some(name) = self.name(&path).filter(|_| call.arguments.contains("O_CREAT")) {
                    self.files.entry(name).or_default();
                }
            }
            "pwrite64" => {
                let written = result.split(' ').next().unwrap().parse::<usize>().unwrap();
                if let Some(name) = call.file().and_then(|path| self.name(&path)) {
                    let mut bytes = call.bytes().unwrap();
                    assert!(written <= bytes.len(), "the tracer has cut what was written");
                    bytes.truncate(written);
                    let change = Change::Write { offset: call.last_number(), bytes };
                    self.files.entry(name).or_default().pending.push(change);
                }
            }
            "ftruncate" => {
                if let Some(name) = call.file().and_then(|path| self.name(&path)) {
                    let change = Change::Truncate(call.last_number());
                    self.files.entry(name).or_default().pending.push(change);
                }
            }
            "fsync" | "fdatasync" => {
                let path = call.file().unwrap();
                if path == self.folder {
                    self.files.values_mut().for_each(|file| file.entered = true);
                } else if let Some(file) = self.name(&path).and_then(|name| self.files.get_mut(&name)) {
                    for change in file.pending.drain(..call.done_before.min(file.pending.len())) {
                        change.apply(&mut file.durable);
                    }
                }
            }
            _ => {}
        }
    }

    /// Writes the files as a power cut may leave them.
    fn cut(&self, to: &Path, unsynced: impl Fn(&Change) -> Option<Change>) {
        for (name, file) in &self.files {
            assert!(file.entered, "{name} is in no folder that was synced");
            let mut bytes = file.durable.clone();
            for change in file.pending.iter().filter_map(&unsynced) {
                change.apply(&mut bytes);
            }
            std::fs::write(to.join(name), bytes).unwrap();
        }
    }
}

#[test]
fn every_acknowledgement_follows_a_sync_of_what_it_acknowledges() {
    let folder = tempfile::tempdir().unwrap();
    let work = std::fs::canonicalize(folder.path()).unwrap().join("victim");
    std::fs::create_dir(&work).unwrap();
    let trace = folder.path().join("strace.out");
    let calls = "trace=openat,pwrite64,write,ftruncate,fsync,fdatasync";
    let wrap = strace::command(&trace, &["-y", "-xx", "-s", "1000000", "-e", calls]);
    let per_producer = 40;
    let output = victim::command(&work, &[1, 1, 1], per_producer, &wrap).output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(said.contains("\ndone\n"), "{said}{}", String::from_utf8_lossy(&output.stderr));

    let mut disk = Disk {
        folder: work.to_str().unwrap().to_owned(),
        files: BTreeMap::new(),
        running: BTreeMap::new(),
        acknowledged: Acknowledged::new(),
    };
    let mut cuts = 0;
    for line in BufReader::new(std::fs::File::open(&trace).unwrap()).lines() {
        let line = line.unwrap();
        let (thread, rest) = line.split_once(' ').unwrap();
        let rest = rest.trim_start();
        if let Some(resumed) = rest.strip_prefix("<... ") {
            let call = disk.running.remove(thread).unwrap();
            let (_, result) = resumed.rsplit_once(" = ").unwrap();
            disk.ends(&call, result);
            continue;
        }
        let Some((name, arguments)) = rest.split_once('(') else { continue };
        let (arguments, result) = match arguments.strip_suffix(" <unfinished ...>") {
            Some(arguments) => (arguments, None),
            None => {
                let Some((arguments, result)) = arguments.rsplit_once(" = ") else { continue };
                (arguments, Some(result))
            }
        };
        let call = disk.begins(name, arguments.trim_end());
        // What is told has left the victim once the call begins.
        if name == "write" && arguments.starts_with("1<") {
            let told = text(&String::from_utf8(call.bytes().unwrap()).unwrap());
            let before = disk.acknowledged.clone();
            told.lines().for_each(|line| note(line, &mut disk.acknowledged));
            if disk.acknowledged != before {
                power_cuts(&disk);
                cuts += 1;
            }
        }
        match result {
            Some(result) => disk.ends(&call, result),
            None => drop(disk.running.insert(thread.to_owned(), call)),
        }
    }
    assert_eq!(cuts, 3 * per_producer, "every acknowledgement was seen");
}

fn power_cuts(disk: &Disk) {
    let survives = |unsynced: &dyn Fn(&Change) -> Option<Change>| {
        let folder = tempfile::tempdir().unwrap();
        disk.cut(folder.path(), unsynced);
        holds(&victim::log(folder.path()), &disk.acknowledged);
    };
    survives(&|_| None);
    // A disk may write what was not synced in any order, and stop in the middle.
    survives(&|change| match fastrand::u8(0..3) {
        0 => None,
        1 => Some(change.torn()),
        _ => Some(change.clone()),
    });
}
