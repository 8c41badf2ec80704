//! Why a command that looks after a hub's data did not do what it was asked for.

use std::io;
use std::path::PathBuf;

use compartment_core::Text;
use compartment_log_sqlite::{BackupError, ExportError, ImportError, OpenError, ReadError};
use compartment_transport_http::client::EndpointError;
use compartment_transport_http::server::access::TokenFileError;

use crate::hub::ServeError;

/// Why something was not done.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    /// The log was not opened.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// The log is not as it was written.
    #[error("{0}\n{advice}", advice = ADVICE)]
    Damaged(Box<ReadError>),
    /// The log was not read to its end.
    #[error(transparent)]
    Read(Box<ReadError>),
    /// The log was not written to its end.
    #[error(transparent)]
    Export(Box<ExportError>),
    /// Some of a damaged log is missing, or may be.
    #[error("{0}")]
    Salvaged(String),
    /// No log was made.
    #[error("{}{source}. Nothing was made.", name.as_ref().map(|name| format!("{name}: ")).unwrap_or_default())]
    Import {
        /// What was read, where it is to blame.
        name: Option<String>,
        /// Why not.
        source: Box<ImportError>,
    },
    /// No copy was made.
    #[error("{0}")]
    Backup(BackupError),
    /// A file of events.
    #[error("cannot {what} {}: {source}", Text::new(&path.to_string_lossy()))]
    File {
        /// `read` or `write`.
        what: &'static str,
        /// The path.
        path: PathBuf,
        /// The cause.
        source: io::Error,
    },
    /// Something is where a file was to be written.
    #[error(
        "{} is there already: nothing is overwritten. Name another file, or move it away",
        Text::new(&.0.to_string_lossy())
    )]
    Exists(PathBuf),
    /// The output.
    #[error("cannot write to the output: {0}")]
    Output(#[from] io::Error),
    /// The tokens.
    #[error(transparent)]
    Tokens(#[from] TokenFileError),
    /// The hub's address, as hosts reach it.
    #[error("--enrol: {0}")]
    Address(#[from] EndpointError),
    /// The hub does not run.
    #[error(transparent)]
    Serve(#[from] ServeError),
    /// Somebody asked to stop.
    #[error("interrupted")]
    Interrupted,
}

const ADVICE: &str = "Nothing was changed. Put a backup in its place; or write what can be read with \
                      `compartment log export --salvage`, and make a new log of that with `compartment log import`.";

impl Failure {
    /// Whether the reader of the output has gone, as `head` does: nobody needs to be told.
    #[must_use]
    pub fn is_closed_pipe(&self) -> bool {
        let closed = |error: &io::Error| error.kind() == io::ErrorKind::BrokenPipe;
        match self {
            Self::Output(error) => closed(error),
            Self::Export(error) => matches!(&**error, ExportError::Output(error) if closed(error)),
            Self::Open(_)
            | Self::Damaged(_)
            | Self::Read(_)
            | Self::Salvaged(_)
            | Self::Import { .. }
            | Self::Backup(_)
            | Self::File { .. }
            | Self::Exists(_)
            | Self::Tokens(_)
            | Self::Address(_)
            | Self::Serve(_)
            | Self::Interrupted => false,
        }
    }
}
