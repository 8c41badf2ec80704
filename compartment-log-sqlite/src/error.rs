//! What can go wrong, in words that say what, where, and what to do.

use std::io;
use std::path::{Path, PathBuf};

use compartment_core::Timestamp;
use compartment_core::ndjson::LineError;
use rusqlite::{Error, ErrorCode};

use crate::finding::Finding;

/// Why a log was not opened.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum OpenError {
    /// There is no such file.
    #[error("there is no log at {}: check the name, or the folder", .0.display())]
    Missing(PathBuf),
    /// Somebody else writes it.
    #[error("{} is being written by {holder}: stop that first, or read the log without writing it", .file.display())]
    Held {
        /// The log.
        file: PathBuf,
        /// Who: the process, its program, and since when.
        holder: String,
    },
    /// It is something else.
    #[error("{} is not a log: {why}", .file.display())]
    NotALog {
        /// The file.
        file: PathBuf,
        /// What it is instead.
        why: String,
    },
    /// A newer version of this library wrote it.
    #[error("{} is written in format {format}, which is newer than this program ({}): update it to write this log; \
             reading works", .file.display(), crate::FORMAT)]
    Newer {
        /// The log.
        file: PathBuf,
        /// Its format.
        format: u32,
    },
    /// What is in it is not what was written.
    #[error("{} is damaged: {why}. Nothing was changed. Verify it to learn more; put a backup in its place, or \
             export what can be read and import that as a new log", .file.display())]
    Damaged {
        /// The log.
        file: PathBuf,
        /// What is wrong.
        why: String,
    },
    /// It is not there any more, and what belongs to it is.
    #[error("{} is gone or empty, and {} is there: it belongs to a log that had records. Put the log back, or move \
             that file away to begin a new one", .file.display(), .left.display())]
    Left {
        /// The log.
        file: PathBuf,
        /// What was left of it.
        left: PathBuf,
    },
    /// The storage failed.
    #[error("{0}")]
    Storage(String),
}

/// Why a log was not read to its end.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum ReadError {
    /// What is in it is not what was written.
    #[error("{}: {finding}", .file.display())]
    Damaged {
        /// The log.
        file: PathBuf,
        /// What was found.
        finding: Finding,
    },
    /// A record that is as it was written, and that this program does not understand.
    #[error("{}, record {position}: {error}", .file.display())]
    Line {
        /// The log.
        file: PathBuf,
        /// The position of the record.
        position: u64,
        /// What is wrong with its line.
        error: LineError,
    },
    /// The storage failed.
    #[error("{0}")]
    Storage(String),
    /// Whoever watched asked to stop.
    #[error("interrupted")]
    Interrupted,
}

/// Why a log was not exported to its end.
#[derive(Debug, thiserror::Error)]
pub enum ExportError {
    /// It was not read to its end.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// The output does not take it.
    #[error("cannot write to the output: {0}")]
    Output(io::Error),
}

/// Why there is no new log.
#[derive(Debug, thiserror::Error)]
pub enum ImportError {
    /// Something is in its place.
    #[error("{} is there already: nothing is overwritten. Name another file, or move it away", .0.display())]
    Exists(PathBuf),
    /// A line that is no event, or does not say when it was recorded.
    #[error("line {number}: {error}")]
    Line {
        /// The number of the line, from 1.
        number: u64,
        /// The column and the cause.
        error: LineError,
    },
    /// A line with nothing on it.
    #[error(
        "line {number} is blank: a record's position is the number of its line, so that no line may be blank \
             but the last ones; remove it"
    )]
    Blank {
        /// The number of the line, from 1.
        number: u64,
    },
    /// A line that is not text.
    #[error("line {number}, column {column}: not UTF-8")]
    NotText {
        /// The number of the line, from 1.
        number: u64,
        /// The column, in bytes from 1.
        column: usize,
    },
    /// A line that was recorded before the one before it.
    #[error(
        "line {number}: the field `at` ({at}) lies before that of the line before it ({before}): a log is \
             recorded by one clock, which never goes back; sort the lines by `at`, or mend the one that is wrong"
    )]
    GoesBack {
        /// The number of the line, from 1.
        number: u64,
        /// When it says that it was recorded.
        at: Timestamp,
        /// When the line before it was.
        before: Timestamp,
    },
    /// The input.
    #[error("cannot read the input: {0}")]
    Input(io::Error),
    /// The storage failed.
    #[error("{0}")]
    Storage(String),
    /// Whoever watched asked to stop.
    #[error("interrupted")]
    Interrupted,
}

/// Why there is no backup.
#[derive(Debug, thiserror::Error)]
pub enum BackupError {
    /// The log was not opened.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// Something is in the place of the copy.
    #[error("{} is there already: nothing is overwritten. Name another file, or move it away", .0.display())]
    Exists(PathBuf),
    /// The storage failed.
    #[error("{0}")]
    Storage(String),
    /// Whoever watched asked to stop.
    #[error("interrupted")]
    Interrupted,
}

const NOT_ALLOWED: &str =
    "it cannot be opened or written: check the permissions of the file and of its folder";

/// A failure of SQLite, as a sentence.
pub(crate) fn storage(file: &Path, error: &Error) -> String {
    let advice = match code(error) {
        Some(ErrorCode::DiskFull) => "the disk is full: free some space",
        Some(ErrorCode::SystemIoFailure) => "an I/O error: check the disk, and the system's log",
        Some(ErrorCode::ReadOnly | ErrorCode::PermissionDenied | ErrorCode::CannotOpen) => NOT_ALLOWED,
        Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => {
            "another program holds a lock on it: let that finish"
        }
        _ => return format!("{}: {error}", file.display()),
    };
    format!("{}: {advice} ({error})", file.display())
}

/// A failure of the file system, as a sentence.
pub(crate) fn io(file: &Path, error: &io::Error) -> String {
    use io::ErrorKind::{NotFound, PermissionDenied, QuotaExceeded, ReadOnlyFilesystem, StorageFull};
    let file = file.display();
    let is = |kinds: &[io::ErrorKind]| kinds.contains(&error.kind());
    if is(&[StorageFull, QuotaExceeded]) {
        format!("{file}: the disk is full: free some space ({error})")
    } else if is(&[PermissionDenied, ReadOnlyFilesystem]) {
        format!("{file}: {NOT_ALLOWED} ({error})")
    } else if is(&[NotFound]) {
        format!("{file}: there is no such file or folder ({error})")
    } else {
        format!("{file}: {error}")
    }
}

/// What SQLite said, where it was SQLite.
pub(crate) fn code(error: &Error) -> Option<ErrorCode> {
    error.sqlite_error_code()
}

/// Whether an error that a read met speaks of what is in the file, and not of what is around it.
pub(crate) fn is_damage(error: &Error) -> bool {
    match code(error) {
        // `Unknown` is a statement that does not fit the tables, so that the tables are not what they were.
        Some(code) => matches!(
            code,
            ErrorCode::DatabaseCorrupt
                | ErrorCode::NotADatabase
                | ErrorCode::SystemIoFailure
                | ErrorCode::TooBig
                | ErrorCode::Unknown
        ),
        // A column that holds something else, or a row that is not there.
        None => true,
    }
}
