//! A copy of a log that is being written.

use std::io;
use std::path::Path;

use rusqlite::backup::{Backup, StepResult};

use crate::chain::Mark;
use crate::connect::writing;
use crate::error::{self, BackupError, OpenError};
use crate::files::{Part, in_the_way, resolved};
use crate::reader::Reader;
use crate::watch::{Progress, Watch};

/// How many pages are copied at a time: a megabyte.
const STEP: i32 = 256;

/// Copies a log as it is now, whole or not at all, while whoever writes it goes on. Gives where the copy ends.
///
/// It is made beside and gets its name at the end, when it is durable; nothing is overwritten. The snapshot is not
/// copied. `watch` is told of pages. What is damaged is copied as it is: [`verify`](crate::verify) the copy. A
/// log that has lost records with its write-ahead log is not copied: the copy would not show it.
///
/// # Errors
/// [`BackupError`]. Nothing is left behind.
pub fn backup(log: &Path, to: &Path, watch: &mut Watch<'_>) -> Result<Option<Mark>, BackupError> {
    let io = |error: &io::Error| BackupError::Storage(error::io(to, error));
    let to = &resolved(to).map_err(|error| io(&error))?;
    if let Some(file) = in_the_way(to) {
        return Err(BackupError::Exists(file));
    }
    // It holds a transaction, so that what is appended meanwhile does not make the copying begin again.
    let reader = Reader::open(log)?;
    if let Some(lost) = reader.lost() {
        // The copy would say nothing of it.
        return Err(OpenError::Damaged { file: reader.path.clone(), why: lost.to_string() }.into());
    }
    let part = Part::new(to);
    copy(&reader, part.path(), watch)?;
    match part.publish() {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Err(BackupError::Exists(to.clone())),
        published => published.map(|()| reader.head()).map_err(|error| io(&error)),
    }
}

fn copy(reader: &Reader, to: &Path, watch: &mut Watch<'_>) -> Result<(), BackupError> {
    let failed = |error: rusqlite::Error| {
        BackupError::Storage(format!("cannot copy {}: {}", reader.path.display(), error::storage(to, &error)))
    };
    let mut target = writing(to).map_err(failed)?;
    // Nobody sees the file before it is whole, and it is synced as one.
    target.execute_batch("PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF").map_err(failed)?;
    let backup = Backup::new(&reader.connection, &mut target).map_err(failed)?;
    loop {
        let step = backup.step(STEP).map_err(failed)?;
        let progress = backup.progress();
        let pages = |count: i32| u64::try_from(count).unwrap_or(0);
        let (total, rest) = (pages(progress.pagecount), pages(progress.remaining));
        let done = total.saturating_sub(rest);
        if watch(Progress { done, total: Some(total) }).is_break() {
            return Err(BackupError::Interrupted);
        }
        if step == StepResult::Done {
            break;
        }
        if step != StepResult::More {
            // Nobody else has either file's lock: the source is read, and the target is new.
            return Err(BackupError::Storage(format!("cannot copy {}: it is locked", reader.path.display())));
        }
    }
    drop(backup);
    target.close().map_err(|(_, error)| failed(error))
}
