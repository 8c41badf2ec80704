//! An input that can be waited for without end, and left when somebody asks.

use std::io::{self, ErrorKind, Read};
use std::os::fd::AsFd;
use std::time::Duration;

use compartment_local::run::Stop;
use rustix::event::{PollFd, PollFlags, Timespec, poll};

/// How often it is asked whether to go on, while nothing comes.
const ASK_EVERY: Duration = Duration::from_millis(100);

/// Reads fail with [`ErrorKind::Interrupted`] once a stop is asked, also while nothing comes.
pub struct Interruptible<R> {
    input: R,
    stop: Stop,
}

impl<R: Read + AsFd> Interruptible<R> {
    /// The input, until a stop is asked.
    pub const fn new(input: R, stop: Stop) -> Self {
        Self { input, stop }
    }
}

impl<R: Read + AsFd> Read for Interruptible<R> {
    fn read(&mut self, to: &mut [u8]) -> io::Result<usize> {
        let wait = Timespec::try_from(ASK_EVERY).map_err(io::Error::other)?;
        loop {
            if self.stop.asked() {
                return Err(ErrorKind::Interrupted.into());
            }
            match poll(&mut [PollFd::new(&self.input, PollFlags::IN)], Some(&wait)) {
                Ok(0) | Err(rustix::io::Errno::INTR) => {}
                // Also where it has ended or failed: a read tells.
                Ok(_) => return self.input.read(to),
                Err(error) => return Err(error.into()),
            }
        }
    }
}
