//! People are told without asking, as a port: a way on which a [`Notification`] goes out, and what is remembered of that.

use async_trait::async_trait;
use compartment_core::{Notification, Text};

/// Why a notification did not arrive.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{why}")]
pub struct NotifyError {
    /// In words, without secrets.
    pub why: Text,
}

impl NotifyError {
    /// With these words.
    #[must_use]
    pub fn new(why: &str) -> Self {
        Self { why: Text::new(why) }
    }
}

/// A way on which people are told. One notification is on it at a time; one that did not arrive is tried again, and has the same
/// id.
#[async_trait]
pub trait Notifier: Send + Sync + 'static {
    /// What it is, for people: `the command`. No two ways of a hub have the same name.
    fn name(&self) -> &str;

    /// Sends one. `Ok` where it has arrived. Whoever calls this waits for a limited time, and drops it then.
    ///
    /// # Errors
    /// [`NotifyError`] where it has not arrived, or may not have.
    async fn send(&self, notification: &Notification) -> Result<(), NotifyError>;
}

/// Where it is kept what was told, over a restart: one small text of bytes.
#[async_trait]
pub trait NotifyStore: Send + Sync + 'static {
    /// What was kept last; nothing where nothing ever was.
    ///
    /// # Errors
    /// In words, where it cannot be read.
    async fn load(&self) -> Result<Option<Vec<u8>>, NotifyError>;

    /// Keeps this in the place of what was kept before: as a whole or not at all, also where the process is killed.
    ///
    /// # Errors
    /// In words, where it cannot be written. What was kept before is kept then, or this is.
    async fn save(&self, bytes: Vec<u8>) -> Result<(), NotifyError>;
}
