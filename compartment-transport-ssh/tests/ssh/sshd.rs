//! OpenSSH's sshd, on a port of its own, with keys of its own; and how ssh is to reach it.

use std::fs;
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use tempfile::TempDir;

/// How long anything may take here before it counts as hanging.
pub(crate) const LONG: Duration = Duration::from_secs(60);

const SSHD: &str = "/usr/sbin/sshd";

/// A server. It ends with this, also where a test fails.
pub(crate) struct Sshd {
    folder: TempDir,
    pub(crate) port: u16,
    process: Option<Child>,
    more: String,
}

impl Sshd {
    pub(crate) fn start() -> Self {
        Self::with("")
    }

    /// With more lines in its configuration.
    pub(crate) fn with(more: &str) -> Self {
        if is_root() {
            fs::create_dir_all("/run/sshd").unwrap();
        }
        let folder = tempfile::tempdir().unwrap();
        for key in ["host_key", "user_key", "other_key"] {
            let file = folder.path().join(key);
            run(Command::new("ssh-keygen").args(["-q", "-t", "ed25519", "-N", "", "-f"]).arg(file));
        }
        fs::copy(folder.path().join("user_key.pub"), folder.path().join("authorized")).unwrap();
        let mut this = Self { folder, port: 0, process: None, more: more.to_owned() };
        this.know("host_key");
        this.up();
        this
    }

    /// Starts it, again on the port that it had.
    pub(crate) fn up(&mut self) {
        let deadline = Instant::now() + LONG;
        while Instant::now() < deadline {
            if self.port == 0 {
                self.port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
                self.know("host_key");
            }
            let at = |name: &str| self.path(name).display().to_string();
            let config = format!(
                "{}\nPort {}\nListenAddress 127.0.0.1\nHostKey {}\nAuthorizedKeysFile {}\nPidFile none\nStrictModes no\n\
                 UsePAM no\nPrintMotd no\nLogLevel VERBOSE\nMaxStartups 100\nPasswordAuthentication no\n\
                 KbdInteractiveAuthentication no\n",
                self.more,
                self.port,
                at("host_key"),
                at("authorized")
            );
            fs::write(self.path("sshd_config"), config).unwrap();
            let mut sshd = Command::new(SSHD);
            sshd.arg("-D").arg("-f").arg(self.path("sshd_config")).arg("-E").arg(self.path("sshd.log"));
            let mut child = sshd.stdin(Stdio::null()).stdout(Stdio::null()).spawn().unwrap();
            while child.try_wait().unwrap().is_none() {
                if TcpStream::connect(("127.0.0.1", self.port)).is_ok() {
                    self.process = Some(child);
                    return;
                }
                sleep(Duration::from_millis(5));
            }
            // Somebody else took the port first.
            self.port = 0;
        }
        panic!("sshd does not start: {}", self.log());
    }

    /// Ends it, and every connection with it; what runs on the host goes on.
    pub(crate) fn down(&mut self) {
        let Some(mut child) = self.process.take() else { return };
        // Whoever connects while the others are listed would be left over.
        signal("-STOP", child.id());
        for process in self.processes(child.id()) {
            signal("-KILL", process);
        }
        child.wait().unwrap();
    }

    /// Ends every connection.
    pub(crate) fn cut(&self) {
        let listener = self.process.as_ref().unwrap().id();
        for process in self.processes(listener).into_iter().filter(|process| *process != listener) {
            signal("-KILL", process);
        }
    }

    /// Nobody answers any more, and nobody says so; or goes on.
    pub(crate) fn hang(&self, hang: bool) {
        let listener = self.process.as_ref().unwrap().id();
        for process in self.processes(listener) {
            signal(if hang { "-STOP" } else { "-CONT" }, process);
        }
    }

    /// It, and its processes for connections, not what those run.
    fn processes(&self, listener: u32) -> Vec<u32> {
        let mut found = vec![listener];
        let all: Vec<_> = fs::read_dir("/proc")
            .unwrap()
            .filter_map(|entry| entry.ok()?.file_name().to_str()?.parse::<u32>().ok())
            .filter_map(|process| {
                let stat = fs::read_to_string(format!("/proc/{process}/stat")).ok()?;
                let (name, rest) = stat.rsplit_once(") ")?;
                let parent: u32 = rest.split(' ').nth(1)?.parse().ok()?;
                name.contains("(sshd").then_some((process, parent))
            })
            .collect();
        loop {
            let more: Vec<_> = all
                .iter()
                .filter(|(process, parent)| found.contains(parent) && !found.contains(process))
                .map(|(process, _)| *process)
                .collect();
            if more.is_empty() {
                return found;
            }
            found.extend(more);
        }
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub(crate) fn log(&self) -> String {
        fs::read_to_string(self.path("sshd.log")).unwrap_or_default()
    }

    /// How many programs were run by way of it.
    pub(crate) fn runs(&self) -> usize {
        self.log().matches("Starting session: command").count()
    }

    /// How many connections were let in.
    pub(crate) fn connections(&self) -> usize {
        self.log().matches("Accepted publickey").count()
    }

    /// This key is known as the host's.
    pub(crate) fn know(&self, key: &str) {
        let key = fs::read_to_string(self.path(&format!("{key}.pub"))).unwrap();
        fs::write(self.path("known_hosts"), format!("[127.0.0.1]:{} {key}", self.port)).unwrap();
    }

    /// The user's ssh configuration: `gpc0`, `gpc1` and so on lead here. What is said more comes first.
    pub(crate) fn ssh_config(&self, more: &str) -> PathBuf {
        let user = String::from_utf8(Command::new("id").arg("-un").output().unwrap().stdout).unwrap();
        let at = |name: &str| self.path(name).display().to_string();
        let config = format!(
            "{more}\nHost gpc*\n  HostName 127.0.0.1\n  Port {}\n  User {}\nHost *\n  IdentityFile {}\n  IdentitiesOnly yes\n  \
             UserKnownHostsFile {}\n  GlobalKnownHostsFile /dev/null\n",
            self.port,
            user.trim(),
            at("user_key"),
            at("known_hosts")
        );
        let file = self.path("ssh_config");
        fs::write(&file, config).unwrap();
        file
    }
}

impl Drop for Sshd {
    fn drop(&mut self) {
        self.down();
    }
}

pub(crate) fn is_root() -> bool {
    Path::new("/root").read_dir().is_ok()
}

pub(crate) fn signal(signal: &str, process: u32) {
    // It may just have ended.
    let _gone = Command::new("kill").args([signal, &process.to_string()]).stderr(Stdio::null()).status();
}

fn run(command: &mut Command) {
    let output = command.output().unwrap();
    assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
}
