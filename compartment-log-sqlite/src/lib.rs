//! The embedded event log.

#![forbid(unsafe_code)]

mod backup;
mod chain;
mod connect;
mod error;
mod export;
mod files;
mod finding;
mod import;
mod lock;
mod log;
mod open;
mod reader;
mod salvage;
mod scan;
mod schema;
mod snapshot;
mod stream;
mod verify;
mod watch;
mod writer;

pub use backup::backup;
pub use chain::{Hash, InvalidMark, Mark};
pub use error::{BackupError, ExportError, ImportError, OpenError, ReadError};
pub use export::{Salvaged, export, salvage};
pub use files::FILE_NAME;
pub use finding::{Finding, Witness};
pub use import::import;
pub use log::SqliteLog;
pub use reader::{Bytes, Line, Reader, is_log};
pub use schema::{APPLICATION_ID, FORMAT};
pub use verify::{Verified, verify};
pub use watch::{Progress, Watch, unwatched};
