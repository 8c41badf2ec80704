//! One connection that stays, in the background: OpenSSH's control master.

use std::ffi::OsString;
use std::fs::{self, Permissions};
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use openssh::Session;
use tempfile::TempDir;
use tokio::time::timeout;

use super::unreachable::{Reason, Unreachable};
use super::{Destination, Ssh};

/// The longest path of a folder of control sockets: what the name of a socket may have is 104 bytes on some systems,
/// and ssh itself adds 17 while it makes one.
const FOLDER: usize = 64;

/// How long a connection may take to end; it is on this machine alone.
const END_WITHIN: Duration = Duration::from_secs(2);

/// How much is read of what ssh has to say.
const LOG_LIMIT: usize = 64 << 10;

/// A folder for control sockets that nobody else can enter, with a short name.
pub(super) fn folder() -> io::Result<TempDir> {
    let places = [std::env::var_os("XDG_RUNTIME_DIR").map(PathBuf::from), Some(std::env::temp_dir())];
    let short =
        |place: &PathBuf| place.is_absolute() && place.as_os_str().len() + 20 <= FOLDER && place.is_dir();
    let place = places.into_iter().flatten().find(short).unwrap_or_else(|| PathBuf::from("/tmp"));
    private().prefix("compartment-").tempdir_in(place)
}

/// A folder that nobody else can enter.
fn private() -> tempfile::Builder<'static, 'static> {
    let mut builder = tempfile::Builder::new();
    builder.permissions(Permissions::from_mode(0o700));
    builder
}

/// A connection that stays. It ends with this; and by itself when it is not used for a while, where this program was
/// killed.
#[derive(Debug)]
pub(super) struct Master(Session);

impl Master {
    /// Connects.
    ///
    /// # Errors
    /// [`Unreachable`].
    pub(super) async fn begin(
        ssh: &Ssh,
        destination: &Destination,
        within: &Path,
        idle_s: u64,
    ) -> Result<Self, Unreachable> {
        let here = |error: io::Error| Unreachable::new(Reason::Other, &error.to_string());
        let folder = private().prefix("c").rand_bytes(4).tempdir_in(within).map_err(here)?;
        // These names the crate wants.
        let (socket, log) = (folder.path().join("master"), folder.path().join("log"));
        let mut command = super::exec::program();
        command.args(ssh.arguments()).args(["-f", "-N", "-M", "-S"]).arg(&socket).arg("-E").arg(&log);
        command
            .arg("-o")
            .arg(format!("ControlPersist={idle_s}"))
            .arg("--")
            .arg(OsString::from(destination.as_str()));
        // Asked for anything, whoever is asked says no.
        command.env("SSH_ASKPASS", "false").env("SSH_ASKPASS_REQUIRE", "force");
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).kill_on_drop(true);
        // ssh's own limit ends before it has to prove who it is; a hardware key that nobody touches has this one.
        let limit = ssh.connect_within + ssh.connect_within;
        match timeout(limit, command.status()).await {
            Ok(Ok(status)) if status.success() => Ok(Self(Session::new_process_mux(folder))),
            Ok(Ok(_)) => Err(Unreachable::by_ssh(&read(&log))),
            Ok(Err(error)) => Err(Unreachable::new(Reason::NoSsh, &error.to_string())),
            Err(_) => {
                let words = format!("connected, and not let in within {} s", limit.as_secs());
                Err(Unreachable::new(Reason::TimedOut, &words))
            }
        }
    }

    pub(super) fn socket(&self) -> &Path {
        self.0.control_socket()
    }

    pub(super) async fn is_there(&self) -> bool {
        self.0.check().await.is_ok()
    }

    /// It broke: why, as far as anybody says.
    pub(super) async fn bury(self, printed: &str) -> Unreachable {
        let log = read(&self.0.control_socket().with_file_name("log"));
        self.close().await;
        let by_log = Unreachable::by_ssh(&log);
        match by_log.reason {
            Reason::Other if log.trim().is_empty() => {
                Unreachable::new(Reason::Dropped, about_session(printed))
            }
            Reason::Other | Reason::TurnedAway | Reason::ClosedAtLogin => {
                Unreachable { reason: Reason::Dropped, ..by_log }
            }
            Reason::Refused
            | Reason::TimedOut
            | Reason::NoRoute
            | Reason::UnknownName
            | Reason::HostKeyChanged { .. }
            | Reason::HostKeyRevoked
            | Reason::HostKeyUnknown
            | Reason::AuthFailed
            | Reason::JumpHost(_)
            | Reason::NoLogins
            | Reason::Dropped
            | Reason::NoSsh
            | Reason::NoAnswer => by_log,
        }
    }

    /// Ends it.
    pub(super) async fn close(self) {
        match timeout(END_WITHIN, self.0.close()).await {
            Ok(Ok(_)) => {}
            Ok(Err(error)) => tracing::debug!(%error, "a connection was over before it was ended"),
            Err(_) => tracing::debug!("a connection does not end"),
        }
    }
}

/// What the `ssh` of one question says where its connection is gone: that it finds no host of the name that stands
/// for it is nothing for people.
fn about_session(printed: &str) -> &str {
    printed.lines().map(str::trim).find(|line| !line.is_empty() && !line.contains("none")).unwrap_or_default()
}

fn read(log: &Path) -> String {
    let bytes = fs::read(log).unwrap_or_default();
    String::from_utf8_lossy(&bytes[..bytes.len().min(LOG_LIMIT)]).into_owned()
}
