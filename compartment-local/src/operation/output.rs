//! What the steps of an operation print: lines of bounded length in a file of bounded size.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::fs::File;
use std::io::{self, Write};
use std::path::Path;

use compartment_core::Text;
use compartment_files::private_file;

use super::files;
use crate::credentials::without_credentials;
use crate::git::cause_of_a_broken_line;

/// How many bytes of a line are kept; what is left is said to be cut. With that it is as long as a [`Text`] may be.
const LINE: usize = Text::LIMIT - CUT.len();

/// How many bytes of output an operation keeps. What is beyond that is read all the same, and counted.
const FILE: u64 = 8 << 20;

/// What ends a line that was cut.
const CUT: &str = " [cut]";

/// Among how many last lines a complaint is looked for.
const LAST: usize = 16;

/// The complaint in a program's last lines where there is one, else the last of them, without credentials: git says
/// `fatal:` first and explains it later, Nix says `error:` last.
#[must_use]
pub fn last_words<'a>(mut lines: impl DoubleEndedIterator<Item = &'a str> + Clone) -> Text {
    let says = |line: &str, word: &str| {
        line.trim_start().strip_prefix(word).is_some_and(|rest| !rest.trim().is_empty())
    };
    let fatal = lines.clone().find(|line| says(line, "fatal:"));
    let error = || lines.clone().rev().find(|line| says(line, "error:"));
    let cause = fatal.and_then(|complaint| cause_of_a_broken_line(complaint, lines.clone()));
    let complaint = cause.or(fatal).or_else(error);
    let complaint = complaint.or_else(|| lines.next_back());
    Text::new(&without_credentials(complaint.map_or("it said nothing", str::trim)))
}

/// The file that people follow. It never fails: an operation does not end because a disk is full.
pub(super) struct Log {
    file: Option<File>,
    /// Lines that are not in the file yet.
    due: Vec<u8>,
    kept: u64,
    lost: u64,
    last: VecDeque<String>,
}

impl Log {
    pub(super) fn create(folder: &Path) -> Self {
        let file = private_file().create(true).truncate(true).open(folder.join(files::OUTPUT));
        Self { file: file.ok(), due: Vec::new(), kept: 0, lost: 0, last: VecDeque::new() }
    }

    /// A new step begins.
    pub(super) fn begin(&mut self, argv: &[String]) {
        let command = format!("$ {}", without_credentials(&argv.join(" ")));
        for line in command.split('\n').map(str::as_bytes) {
            match line.split_at_checked(LINE) {
                Some((kept, [_, ..])) => self.line(&[kept, CUT.as_bytes()].concat()),
                Some((_, [])) | None => self.line(line),
            }
        }
        self.last.clear();
        self.flush();
    }

    /// The supervisor says something itself.
    pub(super) fn note(&mut self, words: &str) {
        self.line(format!("[{}]", without_credentials(words)).as_bytes());
    }

    /// What people are told of the step.
    pub(super) fn last_words(&self) -> Text {
        last_words(self.last.iter().map(String::as_str))
    }

    /// The operation has ended.
    pub(super) fn end(&mut self) {
        if self.lost > 0 {
            let words = format!("[{} bytes more were printed and not kept]\n", self.lost);
            self.due.extend_from_slice(words.as_bytes());
        }
        self.flush();
        if let Some(file) = &self.file {
            let _best_effort = file.sync_all();
        }
    }

    fn line(&mut self, line: &[u8]) {
        let text = String::from_utf8_lossy(line);
        if !text.trim().is_empty() {
            if self.last.len() == LAST {
                self.last.pop_front();
            }
            self.last.push_back(text.into_owned());
        }
        let size = line.len() as u64 + 1;
        if self.kept + size > FILE {
            // From here on nothing is kept: lines with gaps between them mislead.
            self.kept = FILE;
            self.lost += size;
            return;
        }
        self.kept += size;
        self.due.extend_from_slice(line);
        self.due.push(b'\n');
    }

    fn flush(&mut self) {
        if self.file.as_mut().is_some_and(|file| file.write_all(&self.due).is_err()) {
            self.file = None;
        }
        self.due.clear();
    }
}

/// One of a program's two streams, on its way to the log: cut into lines, and lines that are too long cut short.
pub(super) struct Stream<'a> {
    log: &'a RefCell<Log>,
    line: Vec<u8>,
    cut: bool,
    after_return: bool,
}

impl<'a> Stream<'a> {
    pub(super) fn new(log: &'a RefCell<Log>) -> Self {
        Self { log, line: Vec::new(), cut: false, after_return: false }
    }

    fn add(&mut self, bytes: &[u8]) {
        let room = LINE - self.line.len();
        self.cut |= bytes.len() > room;
        self.line.extend_from_slice(&bytes[..bytes.len().min(room)]);
    }

    fn end_line(&mut self) {
        if self.cut {
            self.line.extend_from_slice(CUT.as_bytes());
        }
        self.log.borrow_mut().line(&self.line);
        self.line.clear();
        self.cut = false;
    }

    /// Nothing more will come: the last line may have no end.
    pub(super) fn end(mut self) {
        if !self.line.is_empty() {
            self.end_line();
        }
        self.log.borrow_mut().flush();
    }
}

impl Write for Stream<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        // A lone carriage return ends a line, too: that is how programs show their progress.
        for part in bytes.split_inclusive(|byte| matches!(byte, b'\n' | b'\r')) {
            match part.split_last() {
                Some((b'\n', rest)) if rest.is_empty() && self.after_return && self.line.is_empty() => {
                    self.after_return = false;
                }
                Some((end @ (b'\n' | b'\r'), rest)) => {
                    self.add(rest);
                    self.end_line();
                    self.after_return = *end == b'\r';
                }
                _ => {
                    self.add(part);
                    self.after_return = false;
                }
            }
        }
        self.log.borrow_mut().flush();
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    fn printed(parts: &[&[u8]]) -> (String, Text) {
        let folder = tempfile::tempdir().unwrap();
        let log = RefCell::new(Log::create(folder.path()));
        let mut stream = Stream::new(&log);
        for part in parts {
            stream.write_all(part).unwrap();
        }
        stream.end();
        let mut log = log.into_inner();
        log.end();
        (fs::read_to_string(folder.path().join(files::OUTPUT)).unwrap(), log.last_words())
    }

    #[test]
    fn lines_are_what_people_see_as_lines() {
        for (parts, expected) in [
            (&[b"a\nb".as_slice()] as &[&[u8]], "a\nb\n"),
            (&[b"a", b"b\n", b"\n\nc\n"], "ab\n\n\nc\n"),
            (&[b"a\r\nb\r", b"\nc\r\r\nd\r"], "a\nb\nc\n\nd\n"),
            (&[b"1%\r2%\r3%\n"], "1%\n2%\n3%\n"),
            (&[b""], ""),
        ] {
            assert_eq!(printed(parts).0, expected);
        }
    }

    #[test]
    fn a_line_that_is_too_long_is_cut_and_says_so() {
        let (file, words) = printed(&[&[b'x'; 3000], &[b'x'; 3000], b"\nshort\n"]);
        let lines: Vec<_> = file.lines().collect();
        assert_eq!((lines[0].len(), lines[1]), (Text::LIMIT, "short"));
        assert!(lines[0].ends_with("xxx [cut]"));
        assert_eq!(words.as_str(), "short");
    }

    #[test]
    fn a_command_is_cut_like_what_it_prints() {
        let folder = tempfile::tempdir().unwrap();
        let mut log = Log::create(folder.path());
        let script = format!("first\nsecond\n{}", "x".repeat(5000));
        log.begin(&["sh".to_owned(), "-c".to_owned(), script]);
        let file = fs::read_to_string(folder.path().join(files::OUTPUT)).unwrap();
        let lines: Vec<_> = file.lines().collect();
        assert_eq!((lines.len(), lines[0], lines[1]), (3, "$ sh -c first", "second"));
        assert_eq!(lines[2].len(), Text::LIMIT, "whoever reads a line at a time would never get past it");
        assert!(lines[2].ends_with("xxx [cut]"));
    }

    #[test]
    fn the_file_is_bounded_and_the_last_words_are_kept() {
        let line = [&[b'x'; 1023][..], b"\n"].concat();
        let parts = vec![&line[..]; 9 << 10];
        let (file, words) = printed(&[&parts[..], &[b"the end\n"]].concat());
        assert!(file.len() < (8 << 20) + 100, "{}", file.len());
        assert_eq!(file.lines().last(), Some("[1048584 bytes more were printed and not kept]"));
        assert_eq!(words.as_str(), "the end");
    }

    #[test]
    fn a_complaint_is_found_before_advice() {
        let git = b"x\nfatal: Unable to create '/c/.git/index.lock': File exists.\n\nAnother process\nseems to run\n";
        assert!(printed(&[git]).1.as_str().starts_with("fatal: Unable"));
        let git = b"fatal: 'x' is no repository\nfatal: Could not read.\n\nPlease make sure\nerror: x\n";
        assert_eq!(printed(&[git]).1.as_str(), "fatal: 'x' is no repository");
        let ssh = b"Host key verification failed.\nfatal: Could not read from remote repository.\n\nPlease make sure\n";
        assert_eq!(printed(&[ssh]).1.as_str(), "Host key verification failed.");
        let nix = "error:\n  … while calling\n       error: no \u{1b}[31mred\n       at /x.nix:1:2:\n";
        assert_eq!(printed(&[nix.as_bytes()]).1.as_str(), "error: no ␛[31mred");
        let old = [b"error: old\n".as_slice(), &b"line\n".repeat(20)].concat();
        assert_eq!(printed(&[&old]).1.as_str(), "line", "not what was said long before");
        assert_eq!(printed(&[b"\n \n"]).1.as_str(), "it said nothing");
        assert_eq!(printed(&[b"fatal: https://me:secret@x/y"]).1.as_str(), "fatal: https://…@x/y");
    }
}
