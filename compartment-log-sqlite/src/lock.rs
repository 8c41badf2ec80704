//! One writer at a time.

use std::fs::{File, TryLockError};
use std::io::{self, Read, Seek, Write};
use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

use compartment_core::{Text, Timestamp};

use crate::error::{self, OpenError};
use crate::files::{beside, private};

/// The right to write a log. The operating system takes it back from whoever dies.
///
/// It is held on a file of its own: SQLite has locks on the log itself, and a process that opens and closes that
/// file by other means loses them.
#[derive(Debug)]
pub(crate) struct Lock {
    file: File,
}

impl Lock {
    /// Takes the lock of a log, and says in it who did.
    pub(crate) fn take(log: &Path) -> Result<Self, OpenError> {
        let path = beside(log, ".lock");
        let failed = |error: &io::Error| OpenError::Storage(error::io(&path, error));
        let mut file = private().open(&path).map_err(|error| failed(&error))?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                return Err(OpenError::Held { file: log.to_owned(), holder: holder(&mut file) });
            }
            Err(TryLockError::Error(error)) => return Err(failed(&error)),
        }
        sign(&mut file).map_err(|error| failed(&error))?;
        Ok(Self { file })
    }
}

impl Drop for Lock {
    fn drop(&mut self) {
        // Only a word for whoever looks: the lock itself goes with the file.
        drop(self.file.set_len(0));
    }
}

/// Writes who holds the lock, for people and for whoever is refused.
fn sign(file: &mut File) -> io::Result<()> {
    let millis = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_millis();
    let since = Timestamp::from_millis(i64::try_from(millis).unwrap_or(0)).unwrap_or_default();
    let program = std::env::current_exe().ok();
    let program =
        program.as_deref().and_then(Path::file_name).map(|name| name.to_string_lossy().into_owned());
    let program = program.unwrap_or_else(|| "unknown".to_owned());
    file.set_len(0)?;
    file.rewind()?;
    writeln!(file, "process {} ({program}) since {}", std::process::id(), since.whole_second())
}

/// Reads who holds the lock.
fn holder(file: &mut File) -> String {
    let mut bytes = Vec::new();
    // The line is for people: where it cannot be read, the lock is held all the same.
    drop(file.take(512).read_to_end(&mut bytes));
    let said = String::from_utf8_lossy(&bytes);
    match said.trim() {
        "" => "another process".to_owned(),
        said => Text::cut(said, 200).as_str().to_owned(),
    }
}
