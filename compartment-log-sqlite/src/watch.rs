//! Watching what takes its time, and stopping it.

use std::ops::ControlFlow;

/// How far something has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Progress {
    /// What is done: records, bytes or pages, as the function says.
    pub done: u64,
    /// What there is to do, where that is known.
    pub total: Option<u64>,
}

/// Who is told how far something has come, every now and then. With [`ControlFlow::Break`] it stops there, and leaves
/// nothing behind.
pub type Watch<'a> = dyn FnMut(Progress) -> ControlFlow<()> + 'a;

/// A [`Watch`] for what nobody watches.
pub fn unwatched(_: Progress) -> ControlFlow<()> {
    ControlFlow::Continue(())
}
