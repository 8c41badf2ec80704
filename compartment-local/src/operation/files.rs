//! The files of one operation's folder.
//!
//! | file | written by | holds |
//! |---|---|---|
//! | `plan.json` | whoever begins | the plan |
//! | `lock` | the supervisor | held while it lives; not empty once a supervisor, or nobody, is to run the plan |
//! | `output` | the supervisor | what the steps print, in lines |
//! | `stop` | whoever wants it to stop | nothing |
//! | `ending.json` | the supervisor, last of all | the ending |
//! | `supervisor.log` | the supervisor | why it could not do its work |

use std::fs::{self, File};
use std::io::{self, Read, Seek, Write};
use std::path::Path;

use compartment_files::{private_file, replace};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

pub(super) const PLAN: &str = "plan.json";
pub(super) const LOCK: &str = "lock";
pub(super) const OUTPUT: &str = "output";
pub(super) const STOP: &str = "stop";
pub(super) const ENDING: &str = "ending.json";
pub(super) const SUPERVISOR_LOG: &str = "supervisor.log";

/// The version of plans and endings. An agent may be replaced by another version in the middle of an operation.
const VERSION: u32 = 1;

#[derive(Serialize, Deserialize)]
struct Versioned<T> {
    v: u32,
    is: T,
}

/// Writes a new file that is there as a whole or not at all, also after a power cut.
pub(super) fn write<T: Serialize>(folder: &Path, name: &str, content: &T) -> io::Result<()> {
    let bytes = encode(content)?;
    replace(&folder.join(name), |file| file.write_all(&bytes))
}

/// Reads what [`write`] wrote.
pub(super) fn read<T: DeserializeOwned>(folder: &Path, name: &str) -> io::Result<T> {
    decode(name, &fs::read(folder.join(name))?)
}

/// Content as it stands in a file.
pub(super) fn encode<T: Serialize>(content: &T) -> io::Result<Vec<u8>> {
    Ok(serde_json::to_vec(&Versioned { v: VERSION, is: content })?)
}

/// The content of the file `name`.
pub(super) fn decode<T: DeserializeOwned>(name: &str, bytes: &[u8]) -> io::Result<T> {
    /// The version alone: of the rest of a newer file nothing is known.
    #[derive(Deserialize)]
    struct Version {
        v: u32,
    }
    let Version { v } = serde_json::from_slice(bytes)?;
    if v > VERSION {
        let problem = format!("{name} was written by a newer version of this program (format {v})");
        return Err(io::Error::new(io::ErrorKind::InvalidData, problem));
    }
    Ok(serde_json::from_slice::<Versioned<T>>(bytes)?.is)
}

/// The lock file, which says by what it holds whether the plan is taken: a plan is run once.
pub(super) struct LockFile(File);

impl LockFile {
    pub(super) fn open(folder: &Path) -> io::Result<Self> {
        let path = folder.join(LOCK);
        match private_file().read(true).create(true).truncate(false).open(&path) {
            // To look is possible also where nobody can write any more.
            Err(error) if error.kind() == io::ErrorKind::ReadOnlyFilesystem => File::open(&path).map(Self),
            opened => opened.map(Self),
        }
    }

    /// Waits for the lock: whoever holds it for a look lets go at once, a supervisor when it has ended.
    pub(super) fn wait(&self) -> io::Result<()> {
        self.0.lock()
    }

    /// Takes the lock, if nobody has it.
    pub(super) fn try_take(&self) -> io::Result<bool> {
        match self.0.try_lock() {
            Ok(()) => Ok(true),
            Err(fs::TryLockError::WouldBlock) => Ok(false),
            Err(fs::TryLockError::Error(error)) => Err(error),
        }
    }

    /// Whether somebody took the plan. To be asked with the lock in hand.
    pub(super) fn is_taken(&self) -> io::Result<bool> {
        Ok(self.0.metadata()?.len() > 0)
    }

    /// Takes the plan, in words for people. To be done with the lock in hand.
    pub(super) fn take(&mut self, words: &str) -> io::Result<()> {
        self.0.rewind()?;
        self.0.write_all(words.as_bytes())?;
        self.0.sync_all()
    }
}

/// At most this much of a file, from an offset.
pub(super) fn read_from(path: &Path, offset: u64, at_most: u64) -> io::Result<Vec<u8>> {
    let mut file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(error),
    };
    file.seek(io::SeekFrom::Start(offset))?;
    let mut bytes = Vec::new();
    file.take(at_most).read_to_end(&mut bytes)?;
    Ok(bytes)
}
