//! A program that does something to a host and reports it: the start, and then the end, by one guard.

use std::error::Error;
use std::io::{self, Write};
use std::sync::Arc;
use std::time::Duration;

use compartment_core::event::{Kind, Said};
use compartment_core::{HostId, Span};
use compartment_runtime::hub::{Config, Hub, MemoryLog, OperationGuard, Ports, Start};
use tokio::process::Command;
use tokio::time::timeout;

/// How long a test may take. The hub is told the same limit: a program that is killed leaves nothing blue for ever.
const LIMIT_S: u64 = 2;

/// Runs a command as the test of a host, and reports how it ended.
async fn test(mut operation: OperationGuard, command: &str) -> Result<(), Box<dyn Error>> {
    let mut shell = Command::new("sh");
    let status = shell.args(["-c", command]).kill_on_drop(true).status();
    // With `?` the guard is dropped, and nothing is reported: nobody knows how that ended.
    let status = timeout(Duration::from_secs(LIMIT_S), status).await??;
    let said = match status.success() {
        true => Said::TestPass { total: 1 },
        false => Said::TestFail { passed: 0, total: 1, failed: vec![command.into()], error: None },
    };
    Ok(operation.end(said).await?)
}

/// A test that passes, one that fails, and one that takes too long; and how each ended, as the hub has it.
pub async fn run(out: &mut impl Write) -> Result<(), Box<dyn Error>> {
    let hub = Hub::start(Ports::new(Arc::new(MemoryLog::default())), Config::default()).await?;
    for (host, command) in [("web1", "true"), ("web2", "exit 1"), ("web3", "exec sleep 600")] {
        let host = HostId::new(host)?;
        // When this returns the start is durable, and the host is blue.
        let start = Start::new(host.clone(), Kind::Test, Span::from_secs(LIMIT_S));
        let operation = hub.begin(start).await?;
        let op = operation.op().clone();
        if let Err(error) = test(operation, command).await {
            writeln!(out, "{host}: {error}")?;
        }
        let ending = timeout(Duration::from_secs(60), hub.ended(host.clone(), op)).await??;
        writeln!(out, "{host}: {ending}")?;
    }
    hub.shutdown().await;
    Ok(())
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    run(&mut io::stdout()).await
}
