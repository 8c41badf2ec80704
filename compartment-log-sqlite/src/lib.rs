//! The embedded event log: one SQLite file, durable, hash-chained, and readable with the `sqlite3` shell.
//!
//! **The contract.** After [`append`](compartment_runtime::EventLog::append) has returned, the records are on the
//! disk, all of them; after a crash a batch is there whole or not at all. Whatever is read back is what was written,
//! or an error says which record is not. Nothing that is damaged is mended behind anybody's back, and nothing is ever
//! overwritten.
//!
//! ```
//! use compartment_core::testing::{Scenario, heartbeat, log};
//! use compartment_log_sqlite::{Reader, SqliteLog, unwatched, verify};
//! use compartment_runtime::EventLog;
//! use futures::{TryStreamExt, executor::block_on};
//!
//! # let folder = tempfile::tempdir()?;
//! # let path = folder.path().join(compartment_log_sqlite::FILE_NAME);
//! let records = Scenario::given(log![heartbeat("gpc0").at('a'), heartbeat("gpc1").at('a')]).records;
//!
//! let log = SqliteLog::open(&path)?; // … creates it
//! block_on(log.append(&records))?; // … and now both are on the disk
//! let read: Vec<Vec<_>> = block_on(log.read(1, u64::MAX).try_collect())?;
//! assert_eq!(read.concat(), records);
//!
//! // Anybody may read it meanwhile.
//! let reader = Reader::open(&path)?;
//! let verified = verify(&reader, &[], &mut unwatched)?;
//! assert_eq!(verified.records, 2);
//! assert_eq!(log.mark()?, verified.head); // worth noting elsewhere
//! block_on(log.close())?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! | you want to | |
//! |---|---|
//! | write a log, under a hub | [`SqliteLog`] |
//! | read one, also while it is written | [`Reader`], [`is_log`] |
//! | know whether it is what was written | [`verify`], [`verify_end`] |
//! | have it as NDJSON, or make one of NDJSON | [`export`], [`import`] |
//! | copy one that is being written | [`backup`] |
//! | save what can be saved | [`salvage`] |
//!
//! # The files
//!
//! | file | holds |
//! |---|---|
//! | `log.sqlite` | the log |
//! | `log.sqlite-wal`, `-shm` | while it is open, and after a crash: SQLite's write-ahead log, which **belongs to it** |
//! | `log.sqlite.lock` | who writes it: one at a time, and the operating system lets go of it for whoever dies |
//! | `log.sqlite.snapshot` | the state as of some record: a cache, which may be removed |
//!
//! `sqlite3 -readonly log.sqlite .schema` explains the tables, and `SELECT * FROM event` shows the records as columns.
//! To copy a log that is open use [`backup`]: the file alone may lack the last records.
//!
//! | table | holds |
//! |---|---|
//! | `record` | `position`, `line` (the event as JSON, with `at`), `previous`, `hash` |
//! | `head` | where the log ends, written in the same transaction as the records |
//! | `heard` | when each host was last heard, which is no event |
//! | `meta` | `format`, `created`, and `log`: the name that this log has and no other |
//!
//! # The chain
//!
//! ```text
//! before the first:  previous = SHA-256("compartment log " + log)
//! every record:      hash     = SHA-256(lower hex of previous + " " + position + " " + line)
//! ```
//!
//! `previous` is the hash of the record before. A shell is enough to compute one:
//! `printf '%s' "$previous $position $line" | sha256sum`.
//!
//! **What it proves.** [`verify`] names the first record that was changed, removed, inserted or moved, says of a file
//! that was cut off how much of it is whole, and notices when records are gone from the end: `head` knows, and so
//! does the snapshot beside it.
//!
//! **What it cannot prove.** Whoever can write the file can write all of it anew, hashes, `head` and all. Only somebody
//! else's memory gives that away: note a [`Mark`] (`position:hash`, from [`SqliteLog::mark`] or [`Verified`])
//! where those who write the log cannot, and have [`verify`] hold the log against it. The chain says nothing of `heard`,
//! and nothing of whether an event was true.
//!
//! # Formats
//!
//! `PRAGMA application_id` says that a file is a log, `PRAGMA user_version` in which format ([`FORMAT`]). A newer one
//! is not written, and is read as far as this version understands it.
//!
//! Room is left for a log whose beginning was dropped: it will be of a newer format, and start with a *baseline*, a row
//! at the position of the last record dropped, whose line holds the state there and whose `hash` is that record's, so
//! that the chain and all positions go on. In format 1 a log begins at position 1, and one of a newer format that
//! does not is refused.
//!
//! # What this crate does not do
//!
//! It does not decide, fold or judge: a record is a line to it. It does not encrypt, replicate, rotate or shorten a log,
//! and keeps no index but by position. It takes no part in an async runtime: it writes, reads and keeps snapshots on
//! threads of its own. It needs a file system with locks, and does not work over most network file systems.

#![forbid(unsafe_code)]

mod around;
mod backup;
mod chain;
mod connect;
mod error;
mod export;
mod files;
mod finding;
mod identity;
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
mod wal;
mod watch;
mod writer;

pub use backup::backup;
pub use chain::{Hash, InvalidMark, Mark};
pub use error::{BackupError, ExportError, ImportError, OpenError, ReadError};
pub use export::{Salvaged, export, salvage};
pub use files::FILE_NAME;
pub use finding::{Finding, Witness};
pub use import::{import, import_until};
pub use log::SqliteLog;
pub use reader::{Bytes, Line, Reader, is_log};
pub use schema::{APPLICATION_ID, FORMAT};
pub use verify::{Verified, verify, verify_end};
pub use watch::{Progress, Watch, unwatched};
