//! Time, as a port: so that an hour of a fleet takes a test no hour.

use async_trait::async_trait;
use compartment_core::{Span, Timestamp};

/// The time by the clock on the wall, and time that passes.
///
/// The two may disagree: the wall's clock can be set. The hub takes its time from both, so that `at` never goes
/// back along the log and yet no deadline stands still.
#[async_trait]
pub trait Clock: Send + Sync + 'static {
    /// The time by the clock on the wall. It may jump.
    fn wall(&self) -> Timestamp;

    /// How long it is since some fixed moment. It never jumps and never goes back.
    fn elapsed(&self) -> Span;

    /// Waits so long.
    async fn sleep(&self, span: Span);
}
