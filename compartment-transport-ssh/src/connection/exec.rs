//! One question: a shell on the host, the script on its standard input, what it prints.

use std::io;
use std::process::Stdio;
use std::time::Duration;

use compartment_core::Text;
use openssh::{Error, Session};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::process::Command;
use tokio::sync::oneshot;
use tokio::time::sleep;

use super::unreachable::{Reason, Unreachable};
use super::{Destination, Ssh};
use crate::host::{ANSWER_LIMIT, SHELL};

/// How much is kept of what is printed besides the answer, in bytes.
const ASIDE: usize = 16 << 10;

/// How long is waited for what is printed besides, once the answer is there.
const REST_WITHIN: Duration = Duration::from_millis(200);

/// What a script printed.
#[derive(Debug)]
pub(crate) struct Answer {
    /// On its standard output; of what is longer than an answer may be, a little more than that.
    pub(crate) printed: Vec<u8>,
    /// The last line of what was printed besides, by the host or by ssh.
    pub(crate) aside: Text,
}

/// How a question over a shared connection ended.
pub(super) enum Ran {
    /// The host answered, whatever it says.
    Answered(Answer),
    /// The connection is gone: what was printed.
    Broke(String),
}

/// Asks over a connection.
///
/// # Errors
/// Where `ssh` cannot be run here.
pub(super) async fn through(session: &Session, script: &str) -> io::Result<Ran> {
    let mut command = session.raw_command(SHELL);
    command.stdin(openssh::Stdio::piped()).stdout(openssh::Stdio::piped()).stderr(openssh::Stdio::piped());
    let mut child = command.spawn().await.map_err(io::Error::other)?;
    let pipes = (child.stdin().take(), child.stdout().take(), child.stderr().take());
    let (printed, aside) = talk(script, pipes).await;
    if printed.len() > ANSWER_LIMIT {
        child.disconnect().await?;
        return Ok(Ran::Answered(Answer { printed, aside: last_line(&aside) }));
    }
    let ended = child.wait().await;
    // A command that was killed on the host, and a connection that is gone, end alike.
    let either = matches!(ended, Err(Error::RemoteProcessTerminated | Error::Disconnected));
    if either && session.check().await.is_err() {
        return Ok(Ran::Broke(aside));
    }
    // What a shell ends with says less than what it printed.
    Ok(Ran::Answered(Answer { printed, aside: last_line(&aside) }))
}

/// Asks over a connection of its own.
///
/// # Errors
/// [`Unreachable`].
pub(super) async fn shell(ssh: &Ssh, destination: &Destination, script: &str) -> Result<Answer, Unreachable> {
    let here = |error: io::Error| Unreachable::new(Reason::NoSsh, &error.to_string());
    let mut command = Command::new("ssh");
    command.args(ssh.arguments()).args(["-S", "none", "--"]).arg(destination.as_str()).arg(SHELL);
    command.env("SSH_ASKPASS", "false").env("SSH_ASKPASS_REQUIRE", "force");
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true);
    let mut child = command.spawn().map_err(here)?;
    let pipes = (child.stdin.take(), child.stdout.take(), child.stderr.take());
    let (printed, aside) = talk(script, pipes).await;
    if printed.len() > ANSWER_LIMIT {
        child.kill().await.map_err(here)?;
        return Ok(Answer { printed, aside: last_line(&aside) });
    }
    let status = child.wait().await.map_err(here)?;
    // A shell that was killed on the host ends with 255, too: then it had printed something.
    if status.code() == Some(255) && printed.is_empty() {
        return Err(Unreachable::by_ssh(&aside));
    }
    Ok(Answer { printed, aside: last_line(&aside) })
}

/// Sends the script, and reads up to the end or the limit.
async fn talk(
    script: &str,
    (to, from, aside): (
        Option<impl AsyncWrite + Unpin>,
        Option<impl AsyncRead + Unpin>,
        Option<impl AsyncRead + Unpin>,
    ),
) -> (Vec<u8>, String) {
    let send = async {
        if let Some(mut to) = to {
            // Who does not listen is recognised by what it answers.
            if to.write_all(script.as_bytes()).await.is_ok() {
                let _ended = to.shutdown().await;
            }
        }
    };
    let (answered, heard) = oneshot::channel();
    let listen = async {
        let mut printed = Vec::new();
        if let Some(from) = from {
            let limit = ANSWER_LIMIT as u64 + 1;
            let _broke = from.take(limit).read_to_end(&mut printed).await;
        }
        let _nobody_listens = answered.send(());
        printed
    };
    let mut said = Vec::new();
    let overhear = async {
        tokio::select! {
            () = overhear(aside, &mut said) => {}
            // Something that the host leaves running may hold this pipe open: the answer ends the conversation.
            () = async { let _ = heard.await; sleep(REST_WITHIN).await } => {}
        }
    };
    let ((), printed, ()) = tokio::join!(send, listen, overhear);
    (printed, String::from_utf8_lossy(&said).into_owned())
}

/// Keeps the last of what is printed: that is what counts.
async fn overhear(aside: Option<impl AsyncRead + Unpin>, said: &mut Vec<u8>) {
    let Some(mut aside) = aside else { return };
    let mut piece = [0; 4096];
    while let Ok(length @ 1..) = aside.read(&mut piece).await {
        said.extend_from_slice(&piece[..length]);
        let surplus = said.len().saturating_sub(ASIDE);
        said.drain(..surplus);
    }
}

fn last_line(aside: &str) -> Text {
    let line = aside.lines().map(str::trim).rfind(|line| !line.is_empty()).unwrap_or_default();
    Text::cut(&compartment_local::git::without_credentials(line), 300)
}
