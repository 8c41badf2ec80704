//! Which log this is: a secret beside the file, that no copy of the log takes along.
//!
//! It is kept for as long as the file is the one that it was made for, and is nowhere behind what was noted of it. A
//! backup that was put in the file's place, an import and a folder that was moved to another disk are other logs: that
//! costs nothing but that tests which are due may run once more, and it keeps ids from being used twice.

use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::time::UNIX_EPOCH;

use compartment_runtime::{LogId, replace};
use serde::{Deserialize, Serialize};

use crate::chain::Mark;
use crate::files::beside;

/// What the file holds, in one line.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Kept {
    id: String,
    /// The log's file.
    file: String,
    /// Where the log ended when this was written.
    position: u64,
    hash: String,
}

/// The id of the log, and where it is kept.
#[derive(Clone, Debug)]
pub(crate) struct Identity {
    pub(crate) id: LogId,
    log: PathBuf,
}

impl Identity {
    /// The id of a log that ends at `end`. `knows` says whether a record is in it.
    ///
    /// # Errors
    /// Where it cannot be kept.
    pub(crate) fn of<E: From<io::Error>>(
        log: &Path,
        end: Mark,
        knows: impl FnOnce(Mark) -> Result<bool, E>,
    ) -> Result<Self, E> {
        let file = file(log)?;
        let kept = read(log).filter(|kept| kept.file == file);
        let noted = kept.as_ref().and_then(|kept| {
            let mark = Mark { position: kept.position, hash: kept.hash.parse().ok()? };
            Some((LogId::new(&kept.id).ok()?, mark))
        });
        let known = match noted {
            Some((id, mark)) => knows(mark)?.then_some(id),
            None => None,
        };
        let (is_new, id) = (known.is_none(), known.unwrap_or_else(LogId::random));
        let this = Self { id, log: log.to_owned() };
        match this.note(end) {
            // What was noted before holds, too: a full disk is no reason not to open the log.
            Err(error) if is_new => Err(error.into()),
            Ok(()) | Err(_) => Ok(this),
        }
    }

    /// Notes where the log ends, so that one which was put back to before that is found to be another.
    pub(crate) fn note(&self, end: Mark) -> io::Result<()> {
        let kept = Kept {
            id: self.id.as_str().to_owned(),
            file: file(&self.log)?,
            position: end.position,
            hash: end.hash.to_string(),
        };
        if read(&self.log).as_ref() == Some(&kept) {
            return Ok(());
        }
        let mut line = serde_json::to_vec(&kept)?;
        line.push(b'\n');
        replace(&beside(&self.log, ".id"), |file| file.write_all(&line))
    }
}

/// What was kept; nothing where it does not read: it can be made anew.
fn read(log: &Path) -> Option<Kept> {
    serde_json::from_slice(&fs::read(beside(log, ".id")).ok()?).ok()
}

/// What tells a file apart from one that takes its place under the same name.
fn file(path: &Path) -> io::Result<String> {
    let about = fs::metadata(path)?;
    // Not every file system knows when a file was made.
    let born = about.created().ok().and_then(|born| born.duration_since(UNIX_EPOCH).ok());
    let born = born.unwrap_or_default().as_nanos();
    #[cfg(unix)]
    let number = std::os::unix::fs::MetadataExt::ino(&about);
    #[cfg(not(unix))]
    let number = 0;
    Ok(format!("{number}-{born}"))
}
