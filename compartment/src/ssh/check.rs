//! What works on each host, and what is missing, in words.

use std::io;
use std::time::Duration;

use anstyle::{AnsiColor, Style};
use compartment_core::HostId;
use compartment_local::run::Stop;
use compartment_transport_ssh::host::{Finding, Verdict as Fares};
use compartment_transport_ssh::{Host, SshTransport, Unreachable};
use futures::StreamExt;
use futures::stream;
use tokio::time::timeout;

use crate::background;
use compartment_console::show;
use compartment_console::{Completion, MatrixError, Terminal};

const GOOD: Style = AnsiColor::Green.on_default();
const SO_SO: Style = AnsiColor::Yellow.on_default();
const BAD: Style = AnsiColor::Red.on_default().bold();

/// How many hosts are asked at once.
const AT_ONCE: usize = 32;

/// How long a host may take for all of it: longer than the limits of ssh for each of its parts, unless those are set to
/// much more.
const WITHIN: Duration = Duration::from_secs(60);

/// What was found on a host, or why it was not asked.
pub(crate) type Found = Result<Vec<Finding>, String>;

/// Asks all of them, and tells in their order.
pub(super) async fn check(
    ssh: &SshTransport,
    hosts: &[Host],
    around: Terminal<'_>,
) -> Result<Completion, MatrixError> {
    let Terminal { output, width, stop, .. } = around;
    let mut verdict = Completion::Done;
    each(ssh, hosts, &stop, &mut |host, found| {
        writeln!(output, "{host}")?;
        match &found {
            Ok(findings) => {
                for finding in findings {
                    write!(output, "{}", words(finding, width))?;
                    if finding.verdict == Fares::Missing {
                        verdict = Completion::NotAll;
                    }
                }
            }
            Err(why) => {
                verdict = Completion::NotAll;
                let label = format!("  {BAD}✗{BAD:#} connection:");
                write!(output, "{}", show::labelled(&label, 6, why, width))?;
            }
        }
        output.flush()
    })
    .await?;
    Ok(verdict)
}

/// The same, for whoever tells it otherwise.
pub(super) async fn each(
    ssh: &SshTransport,
    hosts: &[Host],
    stop: &Stop,
    tell: &mut impl FnMut(&HostId, Found) -> io::Result<()>,
) -> Result<(), MatrixError> {
    let checks = async {
        let check = |Host { id, .. }: &Host| {
            let id = id.clone();
            async move {
                let found = in_time(ssh.check(&id)).await;
                (id, found)
            }
        };
        let found = stream::iter(hosts).map(check).buffered(AT_ONCE);
        let mut found = std::pin::pin!(found);
        while let Some((host, found)) = found.next().await {
            tell(&host, found)?;
        }
        Ok::<_, io::Error>(())
    };
    let done = tokio::select! {
        done = checks => done.map_err(MatrixError::from),
        () = background::asked(stop) => Err(MatrixError::Interrupted),
    };
    ssh.hang_up().await;
    done
}

/// What a host answers, or why it does not.
pub(super) async fn in_time<T>(asked: impl Future<Output = Result<T, Unreachable>>) -> Result<T, String> {
    match timeout(WITHIN, asked).await {
        Ok(answer) => answer.map_err(|why| why.to_string()),
        Err(_) => Err(format!("timed out: it was not done within {} s", WITHIN.as_secs())),
    }
}

fn words(finding: &Finding, width: show::Width) -> String {
    let (style, mark) = match finding.verdict {
        Fares::Works => (GOOD, '✓'),
        Fares::Limited => (SO_SO, '!'),
        Fares::Missing => (BAD, '✗'),
    };
    let label = format!("  {style}{mark}{style:#} {}:", finding.what);
    show::labelled(&label, 6, finding.words.as_str(), width)
}
