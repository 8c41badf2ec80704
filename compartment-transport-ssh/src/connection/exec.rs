//! One question: a shell on the host, the script on its standard input, what it prints.

use std::io;
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use compartment_core::Text;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::process::Command;
use tokio::sync::oneshot;
use tokio::time::{sleep, timeout};

use super::{Destination, Ssh};
use crate::host::{ANSWER_LIMIT, GO, Nonce, Part, SHELL, part};

/// How much is kept of what is printed besides the answer, in bytes.
const ASIDE: usize = 16 << 10;

/// How long is waited for what else comes, once the answer is there.
const REST_WITHIN: Duration = Duration::from_millis(200);

/// What is asked.
pub(crate) struct Question<'a> {
    pub(crate) script: &'a str,
    /// How the lines of the answer begin.
    pub(crate) nonce: &'a Nonce,
    /// Whether it is still to be begun, where the host asks that when all is prepared.
    pub(crate) still: Option<&'a (dyn Fn() -> bool + Send + Sync)>,
}

/// What a script printed.
#[derive(Debug)]
pub(crate) struct Answer {
    /// On its standard output; of what is longer than an answer may be, a little more than that.
    pub(crate) printed: Vec<u8>,
    /// The last line of what was printed besides, by the host or by ssh.
    pub(crate) aside: Text,
}

/// How `ssh` ended.
pub(super) struct Ran {
    printed: Vec<u8>,
    /// What was printed besides.
    pub(super) aside: String,
    /// It was ssh itself that failed, or a shell that was killed on the host: the two end alike.
    pub(super) failed: bool,
}

impl Ran {
    /// Whether the host's shell said anything.
    pub(super) fn is_mute(&self) -> bool {
        self.printed.is_empty()
    }

    pub(super) fn answer(self) -> Answer {
        // What a shell ends with says less than what it printed.
        Answer { printed: self.printed, aside: last_line(&self.aside) }
    }
}

/// `ssh`, out of reach of a Ctrl-C that is for this program: what it is doing is ended in good order, or goes on.
pub(super) fn program() -> Command {
    let mut command = Command::new("ssh");
    command.process_group(0);
    command
}

/// `ssh` over a connection that is there. The user's configuration has had its say when that was made; what it has for
/// all hosts is not for this one. Where the connection is gone, no other is made.
pub(super) fn through(socket: &Path) -> Command {
    let mut command = program();
    command.args(["-F", "/dev/null", "-S"]).arg(socket).args(["-T", "-o", "ControlMaster=no"]);
    command.args(["-o", "BatchMode=yes", "-o", "ProxyCommand=false", "--", "none"]);
    command
}

/// `ssh` with a connection of its own.
pub(super) fn alone(ssh: &Ssh, destination: &Destination) -> Command {
    let mut command = program();
    command.args(ssh.arguments()).args(["-S", "none", "--"]).arg(destination.as_str());
    command.env("SSH_ASKPASS", "false").env("SSH_ASKPASS_REQUIRE", "force");
    command
}

/// Asks the shell of the host that this leads to.
///
/// # Errors
/// Where `ssh` cannot be run here.
pub(super) async fn ask(mut ssh: Command, question: &Question<'_>) -> io::Result<Ran> {
    ssh.arg(SHELL).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true);
    let mut child = ssh.spawn()?;
    let pipes = (child.stdin.take(), child.stdout.take(), child.stderr.take());
    let Talk { printed, aside, whole } = talk(question, pipes).await;
    if whole || printed.len() > ANSWER_LIMIT {
        // Something that the host leaves running may hold the session open.
        if timeout(REST_WITHIN, child.wait()).await.is_err() {
            child.kill().await?;
        }
        return Ok(Ran { printed, aside, failed: false });
    }
    let status = child.wait().await?;
    let failed = !matches!(status.code(), Some(..255));
    Ok(Ran { printed, aside, failed })
}

struct Talk {
    printed: Vec<u8>,
    aside: String,
    /// The answer has its end.
    whole: bool,
}

/// Sends the script, and reads up to the end of the answer, of all, or the limit.
async fn talk(
    question: &Question<'_>,
    (to, from, aside): (
        Option<impl AsyncWrite + Unpin>,
        Option<impl AsyncRead + Unpin>,
        Option<impl AsyncRead + Unpin>,
    ),
) -> Talk {
    let (ready, is_ready) = oneshot::channel();
    let (answered, heard) = oneshot::channel();
    let send = async {
        let Some(mut to) = to else { return };
        // Who does not listen is recognised by what it answers.
        if to.write_all(question.script.as_bytes()).await.is_err() {
            return;
        }
        if let Some(still) = question.still
            && to.flush().await.is_ok()
            && is_ready.await.is_ok()
            && still()
        {
            let _gone = to.write_all(GO.as_bytes()).await;
        }
        let _ended = to.shutdown().await;
    };
    let listen = async {
        let mut printed = Vec::new();
        let whole = match from {
            Some(from) => read(from, question.nonce, &mut printed, ready).await,
            None => false,
        };
        let _nobody_listens = answered.send(());
        (printed, whole)
    };
    let mut said = Vec::new();
    let overhear = async {
        tokio::select! {
            () = overhear(aside, &mut said) => {}
            // Something that the host leaves running may hold this pipe open: the answer ends the conversation.
            () = async { let _ = heard.await; sleep(REST_WITHIN).await } => {}
        }
    };
    let ((), (printed, whole), ()) = tokio::join!(send, listen, overhear);
    Talk { printed, aside: String::from_utf8_lossy(&said).into_owned(), whole }
}

/// Reads an answer; true where it came to its end.
async fn read(
    mut from: impl AsyncRead + Unpin,
    nonce: &Nonce,
    printed: &mut Vec<u8>,
    ready: oneshot::Sender<()>,
) -> bool {
    let mut ready = Some(ready);
    let mut line = 0;
    while printed.len() <= ANSWER_LIMIT {
        let seen = printed.len();
        if !matches!(from.read_buf(printed).await, Ok(1..)) {
            return false;
        }
        let ends = (seen..printed.len()).filter(|at| printed[*at] == b'\n');
        for end in ends.collect::<Vec<_>>() {
            match part(&printed[line..end], nonce) {
                Some(Part::End) => return true,
                Some(Part::Ready) => {
                    let _told = ready.take().map(|ready| ready.send(()));
                }
                None => {}
            }
            line = end + 1;
        }
    }
    false
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
    Text::cut(&compartment_local::credentials::without_credentials(line), 300)
}
