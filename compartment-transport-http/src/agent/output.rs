//! What operations print, on its way to the hub: for people to follow.
//!
//! It never keeps an operation waiting. While one runs, what cannot be sent stays in its file; once it has ended, as
//! much is kept as fits here, and what was lost is said. An agent that is killed leaves half a minute of it to be sent
//! again by the next one.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use compartment_core::{OpId, Text};
use compartment_runtime::Backoff;
use tokio::sync::{Notify, watch};
use tracing::debug;

use super::Shared;
use crate::client::ClientError;
use crate::wire::output::{LINES_LIMIT, Printed};

/// How many bytes are kept for a hub that is away.
const ROOM: usize = 2 << 20;

/// How many bytes go out at once.
const PORTION: usize = 1 << 20;

/// The lines that wait.
#[derive(Default)]
pub(super) struct Output {
    queue: Mutex<Queue>,
    news: Notify,
    ends: watch::Sender<bool>,
}

#[derive(Default)]
struct Queue {
    lines: VecDeque<(OpId, Text)>,
    bytes: usize,
    /// How many lines of the operation at the front were lost before it.
    lost: usize,
    /// Whether the last attempt to send failed.
    stuck: bool,
}

impl Queue {
    fn pop(&mut self) -> Option<(OpId, Text)> {
        let (op, line) = self.lines.pop_front()?;
        self.bytes -= line.as_str().len() + 1;
        Some((op, line))
    }
}

impl Output {
    fn queue(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether more can be taken without losing something.
    pub(super) fn has_room(&self) -> bool {
        self.queue().bytes < ROOM
    }

    /// Whether all of it was sent, or cannot be sent now.
    pub(super) fn is_settled(&self) -> bool {
        let queue = self.queue();
        queue.stuck || queue.lines.is_empty()
    }

    /// Takes lines. Where there is no room, the oldest are lost.
    pub(super) fn push(&self, op: &OpId, lines: Vec<Text>) {
        if lines.is_empty() {
            return;
        }
        let mut queue = self.queue();
        for line in lines {
            queue.bytes += line.as_str().len() + 1;
            queue.lines.push_back((op.clone(), line));
        }
        while queue.bytes > ROOM + PORTION {
            let Some((gone, _)) = queue.pop() else { break };
            let goes_on = queue.lines.front().is_some_and(|(next, _)| *next == gone);
            queue.lost = if goes_on { queue.lost + 1 } else { 0 };
        }
        drop(queue);
        self.news.notify_one();
    }

    /// Nothing comes after what waits now.
    pub(super) fn end(&self) {
        self.ends.send_replace(true);
    }

    /// The lines to send next, all of one operation, and how many.
    fn next(&self) -> Option<(OpId, Printed, usize)> {
        let queue = self.queue();
        let (op, _) = queue.lines.front()?.clone();
        let of_op = queue.lines.iter().take_while(|(other, _)| *other == op);
        let (mut lines, mut bytes) = (Vec::new(), 0);
        if queue.lost > 0 {
            lines.push(Text::new(&format!("[{} lines were lost here: the hub was away]", queue.lost)));
        }
        let mut count = 0;
        for (_, line) in of_op.take(LINES_LIMIT - lines.len()) {
            bytes += line.as_str().len();
            if bytes > PORTION {
                break;
            }
            lines.push(line.clone());
            count += 1;
        }
        Some((op, Printed { lines }, count))
    }

    /// So many lines were sent.
    fn sent(&self, op: &OpId, count: usize) {
        let mut queue = self.queue();
        queue.lost = 0;
        queue.stuck = false;
        for _ in 0..count {
            // While they were on their way some may have been lost.
            if queue.lines.front().is_some_and(|(next, _)| next == op) {
                queue.pop();
            }
        }
    }
}

/// Sends until the end; then what waits, and gives up at the first failure. It is not to be dropped before: what is
/// on its way then would be sent again.
pub(super) async fn run(shared: &Shared) {
    let mut backoff = Backoff::default();
    let mut ends = shared.output.ends.subscribe();
    loop {
        let sent = send(shared).await;
        if *ends.borrow() && !matches!(sent, Ok(true)) {
            return;
        }
        match sent {
            Ok(true) => backoff.reset(),
            Ok(false) => tokio::select! {
                () = shared.output.news.notified() => {}
                _ = ends.changed() => {}
            },
            Err(error) => {
                let wait = error.retry_after().unwrap_or_else(|| backoff.next_wait());
                debug!(%error, wait_s = wait.as_secs(), "output: trying again");
                tokio::select! {
                    () = tokio::time::sleep(wait.max(Duration::from_millis(100))) => {}
                    _ = ends.changed() => {}
                }
            }
        }
    }
}

/// Sends some lines; false where none wait.
async fn send(shared: &Shared) -> Result<bool, ClientError> {
    let output = &shared.output;
    let Some((op, printed, count)) = output.next() else {
        return Ok(false);
    };
    match shared.connection.print(&shared.config.host, &op, &printed).await {
        Ok(()) => output.sent(&op, count),
        // Nobody will ever want these.
        Err(error) if matches!(error.status(), Some(400 | 403 | 404 | 413 | 415 | 422)) => {
            debug!(%error, %op, count, "output is dropped");
            output.sent(&op, count);
        }
        Err(error) => {
            output.queue().stuck = true;
            return Err(error);
        }
    }
    Ok(true)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_has_no_room_is_lost_and_said() {
        let output = Output::default();
        let op = OpId::new("o1").unwrap();
        let line = Text::new(&"x".repeat(1023));
        for _ in 0..4 {
            output.push(&op, vec![line.clone(); 1024]);
        }
        assert!(!output.has_room());
        let (_, printed, count) = output.next().unwrap();
        assert_eq!(printed.lines[0].as_str(), "[1024 lines were lost here: the hub was away]");
        assert_eq!((printed.lines.len(), count), (1000, 999));
        output.sent(&op, count);
        let (_, printed, _) = output.next().unwrap();
        assert_eq!(printed.lines[0], line, "it is said once");
        let other = OpId::new("o2").unwrap();
        output.push(&other, vec![Text::new("other")]);
        while let Some((op, _, count)) = output.next() {
            output.sent(&op, count);
        }
        assert!(output.is_settled() && output.queue().bytes == 0);
    }
}
