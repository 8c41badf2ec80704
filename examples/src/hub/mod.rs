//! The program `hub`: so far, what looks after a hub's log.

mod args;
mod log;

pub use args::{Cli, Data, Log, What};
pub use log::{HubError, Surroundings, run};
