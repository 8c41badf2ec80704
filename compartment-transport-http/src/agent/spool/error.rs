//! Why there is no spool.

use std::io;
use std::path::PathBuf;

/// Why there is no spool.
#[derive(Debug, thiserror::Error)]
pub enum SpoolError {
    /// Another agent uses it.
    #[error("another agent runs with the state in {}: stop it, or give this one a folder of its own", folder.display())]
    InUse {
        /// The folder.
        folder: PathBuf,
    },
    /// The folder cannot be used.
    #[error("cannot keep state in {}: {source}; give a folder that this user alone can write to", folder.display())]
    Folder {
        /// The folder.
        folder: PathBuf,
        /// The cause.
        source: io::Error,
    },
    /// The file cannot be read or written.
    #[error("cannot use {}: {why}", path.display())]
    Storage {
        /// The file.
        path: PathBuf,
        /// The cause, and what to do.
        why: String,
    },
    /// The file is no spool any more.
    #[error("{} is damaged: {why}; move it away to go on without the reports that wait in it", path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        why: String,
    },
    /// A newer agent wrote it.
    #[error("{} was written by a newer agent: run that one, or move the file away", path.display())]
    Newer {
        /// The file.
        path: PathBuf,
    },
}
