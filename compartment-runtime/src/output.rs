//! What operations print, as a port: for people to follow, bounded, apart from the log.

use async_trait::async_trait;
use compartment_core::{HostId, OpId, Text};

/// A part of an operation's output.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct OutputPage {
    /// The number of the first line in it, from 1. Greater than what was asked for where older lines are gone.
    pub first: u64,
    /// The lines.
    pub lines: Vec<Text>,
}

/// Why output could not be kept or read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the output of operations cannot be kept or read: {0}")]
pub struct OutputError(pub String);

/// Keeps what operations print. An operation is known by its host and its id together: two hosts may have one of the
/// same id, and neither is told what the other's prints. Bounded: the oldest lines of an operation go first. No host can
/// have another's output forgotten by printing more.
#[async_trait]
pub trait OutputStore: Send + Sync + 'static {
    /// Adds lines to the output of a host's operation.
    ///
    /// # Errors
    /// [`OutputError`] where they are lost.
    async fn append(&self, host: &HostId, op: &OpId, lines: Vec<Text>) -> Result<(), OutputError>;

    /// The lines of a host's operation from number `from` on that are still kept, a page of them at most. An empty
    /// page says that there are no more yet.
    ///
    /// # Errors
    /// [`OutputError`] where they cannot be read.
    async fn read(&self, host: &HostId, op: &OpId, from: u64) -> Result<OutputPage, OutputError>;

    /// Forgets what a host's operation printed: it is about to be told again, from its first line on, which has the number 1
    /// again.
    ///
    /// # Errors
    /// [`OutputError`] where it may still be there.
    async fn forget(&self, host: &HostId, op: &OpId) -> Result<(), OutputError>;
}
