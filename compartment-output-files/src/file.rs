//! The file of one operation: a line that says whose it is and which number its first line has, then what was printed, a line
//! each.

use std::fs::{self, File};
use std::io::{self, ErrorKind, Read, Seek, SeekFrom, Write};
use std::path::Path;

use compartment_core::{HostId, OpId, Text};
use compartment_runtime::{OutputPage, private_file, replace};

/// How many lines a page holds at most.
const PAGE: usize = 512;

/// One line in so many has its place in the file remembered: a page in the middle is found without reading all before it.
const MARKED: u64 = 128;

/// What a file begins with, and the version of its form.
const HEAD: &str = "compartment-output 1";

/// The largest file that is looked at, in bytes, whatever its limit is now.
const LARGEST: u64 = 64 << 20;

/// What is known of a file.
#[derive(Debug)]
pub(crate) struct Printed {
    /// The number of its first line.
    first: u64,
    /// How many lines there are.
    lines: u64,
    /// How many bytes it has.
    length: u64,
    /// Where the first line begins, and every [`MARKED`]th after it.
    marks: Vec<u64>,
}

/// The first line of a file.
fn head(host: &HostId, op: &OpId, first: u64) -> String {
    format!("{HEAD} {first} {host} {op}\n")
}

/// The number of the first line, where the head is that of this operation.
fn first_of(line: &str, host: &HostId, op: &OpId) -> Option<u64> {
    let rest = line.strip_prefix(HEAD)?.strip_prefix(' ')?;
    let (first, of) = rest.split_once(' ')?;
    // None is so large that it cannot be counted on from.
    let first = first.parse().ok().filter(|first| (1..=u64::MAX / 2).contains(first))?;
    (of == format!("{host} {op}")).then_some(first)
}

/// Lines as they are written: none holds a line end, because a [`Text`] holds none.
fn written(lines: &[Text]) -> Vec<u8> {
    let mut bytes = Vec::new();
    for line in lines {
        bytes.extend_from_slice(line.as_str().as_bytes());
        bytes.push(b'\n');
    }
    bytes
}

impl Printed {
    pub(crate) const fn length(&self) -> u64 {
        self.length
    }

    /// Looks at a file. What follows its last line end is what a crash left of a line, and is cut off. Nothing where there is no
    /// file, or none of this operation: then whatever is there is removed.
    pub(crate) fn open(path: &Path, host: &HostId, op: &OpId) -> io::Result<Option<Self>> {
        let file = match File::open(path) {
            Ok(file) => file,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error),
        };
        let mut bytes = Vec::new();
        let about = file.metadata()?;
        let is_file = about.is_file();
        if is_file && about.len() <= LARGEST {
            file.take(LARGEST).read_to_end(&mut bytes)?;
        }
        let found = Self::of(&bytes, host, op);
        match &found {
            Some(found) if found.length < bytes.len() as u64 => {
                private_file().open(path)?.set_len(found.length)?;
            }
            Some(_) => {}
            None if is_file => fs::remove_file(path)?,
            None => return Err(io::Error::other("something that is no file has the name of one")),
        }
        Ok(found)
    }

    fn of(bytes: &[u8], host: &HostId, op: &OpId) -> Option<Self> {
        let end = bytes.iter().position(|byte| *byte == b'\n')?;
        let first = first_of(str::from_utf8(&bytes[..end]).ok()?, host, op)?;
        let mut found = Self::empty(first, end as u64 + 1);
        found.count(&bytes[end + 1..]);
        Some(found)
    }

    /// A file that holds nothing but its head.
    fn empty(first: u64, length: u64) -> Self {
        Self { first, lines: 0, length, marks: Vec::new() }
    }

    /// Takes note of what was added. What does not end as a line does is not counted.
    fn count(&mut self, mut bytes: &[u8]) {
        while let Some(end) = bytes.iter().position(|byte| *byte == b'\n') {
            if self.lines.is_multiple_of(MARKED) {
                self.marks.push(self.length);
            }
            self.lines += 1;
            self.length += end as u64 + 1;
            bytes = &bytes[end + 1..];
        }
    }

    /// Makes a file with these lines, in the place of whatever has its name.
    pub(crate) fn create(
        path: &Path,
        host: &HostId,
        op: &OpId,
        lines: &[Text],
        most: u64,
    ) -> io::Result<Self> {
        Self::write(path, host, op, 1, &written(lines), most)
    }

    /// Writes a file anew, with as many of the newest lines as half of what it may hold: so that it is not written anew with
    /// every line from then on.
    fn write(path: &Path, host: &HostId, op: &OpId, first: u64, body: &[u8], most: u64) -> io::Result<Self> {
        let all_fits = (head(host, op, first).len() + body.len()) as u64 <= most;
        let room = if all_fits { body.len() } else { usize::try_from(most / 2).unwrap_or(usize::MAX) };
        let mut dropped = body.len().saturating_sub(room);
        if dropped > 0 {
            // The next line that is whole.
            let rest = &body[dropped - 1..];
            dropped = rest.iter().position(|byte| *byte == b'\n').map_or(body.len(), |end| dropped + end);
        }
        let (gone, kept) = body.split_at(dropped);
        let first = first + gone.iter().filter(|byte| **byte == b'\n').count() as u64;
        let head = head(host, op, first);
        replace(path, |file| file.write_all(head.as_bytes()).and_then(|()| file.write_all(kept)))?;
        let mut printed = Self::empty(first, head.len() as u64);
        printed.count(kept);
        Ok(printed)
    }

    /// Adds lines. Beyond `most` bytes the oldest go.
    ///
    /// Where it fails, the file is as it was before, unless it cannot be put in order either: look at it anew.
    pub(crate) fn append(
        &mut self,
        path: &Path,
        host: &HostId,
        op: &OpId,
        lines: &[Text],
        most: u64,
    ) -> io::Result<()> {
        let added = written(lines);
        if self.length + added.len() as u64 > most {
            let mut body = self.body(path, 0)?;
            body.extend_from_slice(&added);
            *self = Self::write(path, host, op, self.first, &body, most)?;
            return Ok(());
        }
        let mut file = private_file().append(true).open(path)?;
        if let Err(error) = file.write_all(&added) {
            file.set_len(self.length)?;
            return Err(error);
        }
        self.count(&added);
        Ok(())
    }

    /// The lines from a mark on.
    fn body(&self, path: &Path, mark: usize) -> io::Result<Vec<u8>> {
        let Some(from) = self.marks.get(mark) else { return Ok(Vec::new()) };
        let mut file = File::open(path)?;
        file.seek(SeekFrom::Start(*from))?;
        let mut bytes = Vec::new();
        let length = self.length.saturating_sub(*from);
        file.take(length).read_to_end(&mut bytes)?;
        if (bytes.len() as u64) < length {
            return Err(io::Error::other("somebody has cut the file"));
        }
        Ok(bytes)
    }

    /// The lines from number `from` on: a page at most.
    pub(crate) fn read(&self, path: &Path, from: u64) -> io::Result<OutputPage> {
        let first = from.max(self.first);
        let skipped = first - self.first;
        if skipped >= self.lines {
            return Ok(OutputPage { first, lines: Vec::new() });
        }
        let mark = usize::try_from(skipped / MARKED).unwrap_or(usize::MAX);
        let bytes = self.body(path, mark)?;
        let skipped = usize::try_from(skipped % MARKED).unwrap_or(usize::MAX);
        let lines = bytes.split_inclusive(|byte| *byte == b'\n').skip(skipped).take(PAGE);
        // Whatever is in the file, nothing that a terminal obeys comes out.
        let text =
            |line: &[u8]| Text::new(&String::from_utf8_lossy(line.strip_suffix(b"\n").unwrap_or(line)));
        Ok(OutputPage { first, lines: lines.map(text).collect() })
    }
}
