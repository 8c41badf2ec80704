//! One operation on this machine: a pull, a switch, a rollback or a test run, and exact evidence of what came of it.
//!
//! An agent is restarted by its own switch, so the process that begins an operation is not the one that runs it:
//!
//! ```text
//! Commands::plan ──▶ Plan ──▶ Execution::begin ──▶ supervise, in a session of its own
//!                                │                  │ facts before, the steps, facts after
//!        Execution::resume ──▶ state ◀── Ending ◀───┘
//!                                │
//!                             result ──▶ what is reported
//! ```
//!
//! - [`Commands`] says, for each kind of operation, which programs run. They are argument vectors, never a shell's.
//! - [`Plan`] is what one operation does, ready to be written to a folder.
//! - [`supervise()`] is the body of a process that carries out the plan in a folder, once.
//! - [`Execution`] begins, watches and stops it, from the same process or from the next.
//! - [`started`] and [`result()`] turn plan and [`Ending`] into reports. The evidence is what the machine says of itself
//!   before and after, not an exit code: a pull reports the commit that is there, a rollback that changed nothing
//!   failed.
//!
//! **Service managers** that end a service by ending everything in its control group end the supervisor with it, and
//! what it runs: nobody can survive that. Under systemd an agent's unit needs `KillMode=process`; or the supervisor
//! is begun by way of `systemd-run --scope`, which [`Execution::begin`] allows for. launchd needs `AbandonProcessGroup`.
//! Where only the supervisor is killed, what it ran goes on unwatched, mostly until it prints the next time.
//!
//! **What is handed on** to a service manager, as newer versions of `nixos-rebuild` hand on the activation, is not
//! among the programs that a stop or a limit ends. The facts after it, and the heartbeats to come, tell what it did.

mod commands;
mod ending;
mod files;
mod limit;
mod output;
mod plan;
mod result;
mod supervise;
mod template;
mod work;

pub use commands::{BadCommands, Commands, Limits, Preset, Refused};
pub use ending::{Ending, Exit, Facts, StepEnd};
pub use limit::{LONGEST_RUN, tests_run_limit};
pub use output::last_words;
pub use plan::{Dir, Machine, OnFailure, Plan, Step};
pub use result::{result, started};
pub use supervise::supervise;
pub use work::{Execution, State};
