//! The host's side: speaks for one host, and does what the hub orders.
//!
//! **The contract.** What happens on the host is written down before it is said, and said until the hub has it: once,
//! and in order, however often the connection breaks, the agent is killed or the hub is away. An order is carried out
//! once. An operation belongs to the host, not to the agent: one that restarts its own agent goes on, and the next
//! agent finds what came of it, or says that nothing runs.
//!
//! ```text
//!             ┌ orders ──► operations ──► spool ──► uplink ┐
//!    hub ──► ─┤                │            ▲              ├─ ──► hub
//!             │                └─► output ──┼──────────────┤
//!             └                    facts ───┘              ┘
//! ```
//!
//! | | |
//! |---|---|
//! | `orders` | hears them, writes them down, says that they are here |
//! | `operations` | carries them out, one at a time, in a process of their own ([`compartment_local::operation`]) |
//! | `facts` | heartbeats: what is seen of the machine, after everything that was reported before |
//! | `index` | keeps the agent's own clone cheap to look at |
//! | `output` | what operations print; bounded, and lost rather than waited for |
//! | `spool` | what waits, durably ([`SpoolError`] says what can be wrong with it) |
//! | `uplink` | sends it |
//!
//! **What it does not do.** It decides nothing: not what is desired, nor when to deploy. It runs no shell, takes no
//! command from the hub, and listens on no port.

mod config;
mod facts;
mod index;
mod operations;
mod orders;
mod output;
mod spool;
mod uplink;

use std::ffi::OsString;
use std::future::Future;
use std::pin::pin;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use compartment_core::SessionId;
use tokio::sync::{Notify, mpsc};
use tracing::info;

pub use config::{Checkout, Config, ConfigError};
pub use spool::SpoolError;

use crate::client::{Connection, EndpointError};
use operations::Operations;
use output::Output;
use spool::{Spool, trusted};

/// How many orders may stand in line. They are looked at as they come, so none does for long.
const ORDERS_IN_LINE: usize = 64;

/// How long an agent that ends still tries to send what waits.
const LAST_WORDS: Duration = Duration::from_secs(2);

/// Why there is no agent.
#[derive(Debug, thiserror::Error)]
pub enum AgentError {
    /// The hub cannot even be tried.
    #[error(transparent)]
    Endpoint(#[from] EndpointError),
    /// It cannot keep what waits.
    #[error(transparent)]
    Spool(#[from] SpoolError),
}

/// An agent that is ready to run.
pub struct Agent {
    shared: Shared,
    operations: Operations,
}

/// What its parts share.
struct Shared {
    config: Config,
    connection: Connection,
    session: SessionId,
    spool: Mutex<Spool>,
    output: Output,
    /// There is something to send.
    news: Notify,
    /// A heartbeat is wanted now.
    refresh: Notify,
    /// The hub is there again: whoever waits before another attempt need not.
    back: Notify,
}

impl Shared {
    fn spool(&self) -> MutexGuard<'_, Spool> {
        self.spool.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl std::fmt::Debug for Agent {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Agent").field("host", &self.shared.config.host).finish_non_exhaustive()
    }
}

impl Agent {
    /// Prepares an agent: its spool is open, and no other agent can have it. Nothing is sent yet.
    ///
    /// `supervisor` is a program and its arguments that call
    /// [`supervise`](compartment_local::operation::supervise()) with the folder that is added to them: mostly this very
    /// program, with a subcommand.
    ///
    /// # Errors
    /// [`AgentError`]: an address that may not be used, no token, or state that cannot be kept or is another agent's.
    pub fn new(mut config: Config, supervisor: Vec<OsString>) -> Result<Self, AgentError> {
        let connection = Connection::new(config.hub.clone())?;
        // By its real name from here on: whoever owns a link on the way could lead it elsewhere later.
        config.state = trusted(&config.state)?;
        let spool = Spool::open(&config.state, &config.host)?;
        let through = config.supervise_through.iter().map(OsString::from);
        let operations = Operations::new(&config, through.chain(supervisor).collect())?;
        let shared = Shared {
            session: spool.session().clone(),
            config,
            connection,
            spool: Mutex::new(spool),
            output: Output::default(),
            news: Notify::new(),
            refresh: Notify::new(),
            back: Notify::new(),
        };
        Ok(Self { shared, operations })
    }

    /// Runs until `shutdown` is over. An operation that runs then goes on, unless it is configured otherwise.
    pub async fn run(mut self, shutdown: impl Future<Output = ()>) {
        let shared = &self.shared;
        info!(host = %shared.config.host, hub = %shared.connection.hub(), "the agent runs");
        let (orders, line) = mpsc::channel(ORDERS_IN_LINE);
        self.operations.resume(shared);
        let looker = facts::Looker::new(&shared.config);
        let mut printing = pin!(output::run(shared));
        {
            let all = async {
                tokio::join!(
                    uplink::run(shared),
                    facts::run(shared, &looker),
                    orders::run(shared, &orders),
                    self.operations.run(shared, line),
                )
            };
            tokio::select! {
                _ = all => {}
                () = &mut printing => {}
                () = shutdown => {}
            }
        }
        looker.stop();
        self.operations.wind_down(shared).await;
        shared.output.end();
        let last_words = async { tokio::join!(printing, uplink::flush(shared)) };
        let _as_much_as_could_be = tokio::time::timeout(LAST_WORDS, last_words).await;
        self.operations.leave(shared);
        info!("the agent ends");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// An agent can run on any runtime.
    #[test]
    fn an_agent_can_be_spawned() {
        fn spawned<T: Send>(_: impl FnOnce(Agent) -> T) {}
        spawned(|agent| agent.run(std::future::pending()));
    }
}
