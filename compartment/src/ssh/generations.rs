//! Where a rollback can go.

use compartment_core::HostId;
use compartment_transport_ssh::SshTransport;
use compartment_transport_ssh::host::Generation;

use super::FleetError;
use super::check::in_time;
use crate::background;
use compartment_console::show;
use compartment_console::{Completion, MatrixError, Terminal};

/// Lists the generations of a host, the latest last.
pub(super) async fn generations(
    ssh: &SshTransport,
    host: &HostId,
    around: Terminal<'_>,
) -> Result<Completion, FleetError> {
    let found = tokio::select! {
        found = in_time(ssh.generations(host)) => {
            found.map_err(|why| FleetError::Away { host: host.clone(), why })
        }
        () = background::asked(&around.stop) => Err(MatrixError::Interrupted.into()),
    };
    ssh.hang_up().await;
    let found = found?;
    let words = if found.is_empty() {
        format!("{host} has no generations in its profile.\n")
    } else {
        let rows: Vec<_> = found.iter().map(row).collect();
        show::columns(&["Number", "Now", "Path"], 2, &rows, around.width)
    };
    around
        .output
        .write_all(words.as_bytes())
        .and_then(|()| around.output.flush())
        .map_err(MatrixError::from)?;
    Ok(Completion::Done)
}

fn row(Generation { number, path, current }: &Generation) -> Vec<String> {
    let path = path.as_ref().map_or_else(|| "what it leads to is gone".to_owned(), ToString::to_string);
    vec![number.to_string(), if *current { "current" } else { "" }.to_owned(), path]
}
