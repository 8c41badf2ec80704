//! OpenSSH's sshd, at an address of its own, with keys of its own; and how ssh is to reach it.

use std::fs::{self, File};
use std::net::{Ipv4Addr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use tempfile::TempDir;

/// How long anything may take here before it counts as hanging.
pub(crate) const LONG: Duration = Duration::from_secs(60);

/// A server. It ends with this, also where a test fails.
pub(crate) struct Sshd {
    folder: TempDir,
    pub(crate) address: Ipv4Addr,
    pub(crate) port: u16,
    within: Vec<String>,
    process: Option<Child>,
    more: String,
}

impl Sshd {
    pub(crate) fn start() -> Self {
        Self::with("")
    }

    /// With more lines in its configuration.
    pub(crate) fn with(more: &str) -> Self {
        Self::within(Vec::new(), Ipv4Addr::LOCALHOST, more)
    }

    /// By way of a command that runs what follows it, at an address that is known there alone. Where it makes it the
    /// first process of a machine, that machine goes down with it.
    pub(crate) fn within(command: Vec<String>, address: Ipv4Addr, more: &str) -> Self {
        if is_root() {
            fs::create_dir_all("/run/sshd").unwrap();
        }
        let folder = tempfile::tempdir().unwrap();
        for key in ["host_key", "user_key", "other_key"] {
            let file = folder.path().join(key);
            run(Command::new("ssh-keygen").args(["-q", "-t", "ed25519", "-N", "", "-f"]).arg(file));
        }
        fs::copy(folder.path().join("user_key.pub"), folder.path().join("authorized")).unwrap();
        let more = more.to_owned();
        let mut this = Self { folder, address, port: 0, within: command, process: None, more };
        this.up();
        this
    }

    /// Starts it, again on the port that it had.
    pub(crate) fn up(&mut self) {
        let deadline = Instant::now() + LONG;
        while Instant::now() < deadline {
            if self.port == 0 {
                // Where nobody else is, the usual one is free.
                self.port = if self.within.is_empty() { free_port(self.address) } else { 22 };
                self.know("host_key");
            }
            fs::write(self.path("sshd_config"), self.config()).unwrap();
            let listened = self.listened();
            let mut words: Vec<_> = self.within.iter().map(PathBuf::from).collect();
            words.extend([program(), "-D".into(), "-f".into(), self.path("sshd_config")]);
            words.extend(["-E".into(), self.path("sshd.log")]);
            let mut sshd = Command::new(&words[0]);
            sshd.args(&words[1..]).stdin(Stdio::null()).stdout(Stdio::null());
            let log = File::options().create(true).append(true).open(self.path("sshd.log")).unwrap();
            let mut child = sshd.stderr(log).spawn().unwrap();
            while child.try_wait().unwrap().is_none() {
                if self.listened() > listened {
                    self.process = Some(child);
                    return;
                }
                assert!(Instant::now() < deadline, "sshd does not listen: {}", self.log());
                sleep(Duration::from_millis(5));
            }
            // Somebody else took the port first.
            self.port = 0;
        }
        panic!("sshd does not start: {}", self.log());
    }

    fn config(&self) -> String {
        let at = |name: &str| self.path(name).display().to_string();
        format!(
            "{}\nPort {}\nListenAddress {}\nHostKey {}\nAuthorizedKeysFile {}\nPidFile none\nStrictModes no\n\
             UsePAM no\nPermitUserRC no\nPrintMotd no\nLogLevel VERBOSE\nMaxStartups 100\n\
             PasswordAuthentication no\nKbdInteractiveAuthentication no\n",
            self.more,
            self.port,
            self.address,
            at("host_key"),
            at("authorized")
        )
    }

    fn listened(&self) -> usize {
        self.log().matches("Server listening on").count()
    }

    /// Ends it, and every connection with it; what runs on the host goes on.
    pub(crate) fn down(&mut self) {
        let Some(listener) = self.listener() else { return };
        // Whoever connects while the others are listed would be left over.
        signal("-STOP", listener);
        for process in processes(listener) {
            signal("-KILL", process);
        }
        if let Some(mut child) = self.process.take() {
            child.wait().unwrap();
        }
    }

    /// Ends every connection, and nobody says goodbye. Gives how many there were.
    pub(crate) fn cut(&self) -> usize {
        let listener = self.listener().unwrap();
        let sessions = children(listener).filter(|process| is_sshd(*process)).count();
        for process in processes(listener).into_iter().filter(|process| *process != listener) {
            signal("-KILL", process);
        }
        sessions
    }

    /// Nobody answers any more, and nobody says so; or goes on.
    pub(crate) fn hang(&self, hang: bool) {
        for process in processes(self.listener().unwrap()) {
            signal(if hang { "-STOP" } else { "-CONT" }, process);
        }
    }

    /// It may be a child of the command that it is run by.
    pub(crate) fn listener(&self) -> Option<u32> {
        let mut process = self.process.as_ref()?.id();
        while !is_sshd(process) {
            process = children(process).next()?;
        }
        Some(process)
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
        let place = match self.port {
            22 => self.address.to_string(),
            port => format!("[{}]:{port}", self.address),
        };
        fs::write(self.path("known_hosts"), format!("{place} {key}")).unwrap();
    }

    /// The user's ssh configuration: `gpc0`, `gpc1` and so on lead here. What is said more comes first.
    pub(crate) fn ssh_config(&self, more: &str) -> PathBuf {
        let file = self.path("ssh_config");
        fs::write(&file, format!("{more}\n{}", self.entry("gpc*"))).unwrap();
        file
    }

    /// The part of an ssh configuration by which these names lead here.
    pub(crate) fn entry(&self, names: &str) -> String {
        let user = String::from_utf8(Command::new("id").arg("-un").output().unwrap().stdout).unwrap();
        format!(
            "Host {names}\n  HostName {}\n  Port {}\n  User {}\n  IdentityFile {}\n  IdentitiesOnly yes\n  \
             UserKnownHostsFile {}\n  GlobalKnownHostsFile /dev/null\n",
            self.address,
            self.port,
            user.trim(),
            self.path("user_key").display(),
            self.path("known_hosts").display()
        )
    }
}

impl Drop for Sshd {
    fn drop(&mut self) {
        self.down();
    }
}

/// It wants to be called by its whole name, and is not where everybody looks.
fn program() -> PathBuf {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let folders = std::env::split_paths(&path).chain(["/usr/sbin", "/usr/local/sbin"].map(PathBuf::from));
    let mut programs = folders.map(|folder| folder.join("sshd")).filter(|file| file.exists());
    programs.next().unwrap_or_else(|| panic!("there is no sshd; Debian: openssh-server"))
}

fn free_port(address: Ipv4Addr) -> u16 {
    TcpListener::bind((address, 0)).unwrap().local_addr().unwrap().port()
}

/// It, and its processes for connections, not what those run.
fn processes(listener: u32) -> Vec<u32> {
    let mut found = vec![listener];
    let mut next = 0;
    while let Some(process) = found.get(next) {
        found.extend(children(*process).filter(|process| is_sshd(*process)).collect::<Vec<_>>());
        next += 1;
    }
    found
}

fn children(of: u32) -> impl Iterator<Item = u32> {
    let all = fs::read_dir("/proc").unwrap();
    let all = all.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok());
    all.filter(move |process| {
        let stat = fs::read_to_string(format!("/proc/{process}/stat")).unwrap_or_default();
        let parent = stat.rsplit_once(") ").and_then(|(_, rest)| rest.split(' ').nth(1)?.parse().ok());
        parent == Some(of)
    })
}

fn is_sshd(process: u32) -> bool {
    fs::read_to_string(format!("/proc/{process}/comm")).is_ok_and(|name| name.starts_with("sshd"))
}

fn is_root() -> bool {
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
