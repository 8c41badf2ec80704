//! An sshd for each machine, on loopback: whoever logs in finds the machine's own Nix and home.

use std::fs;
use std::io::{BufRead, BufReader};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use super::nix::{Nix, output, text};

pub(crate) struct Door {
    sshd: Child,
}

impl Door {
    /// Opens a door to a machine, and describes it in the file of configuration that ssh is given.
    pub(crate) fn open(name: &str, nix: &Nix, keys: &Keys) -> Self {
        let (config, sshd) = (nix.path("etc/sshd_config"), sshd());
        // Another program may be given the port in between: then another port is as good.
        for _ in 0..20 {
            let port = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap().local_addr().unwrap().port();
            fs::write(&config, keys.sshd(port, nix)).unwrap();
            let log = fs::File::create(nix.path("etc/sshd.log")).unwrap();
            let child = Command::new(&sshd).args(["-D", "-e", "-f", &text(&config)]).stderr(log).spawn();
            let mut door = Self { sshd: child.unwrap() };
            if door.answers(port) {
                keys.describe(name, port);
                return door;
            }
        }
        panic!("sshd: {}", fs::read_to_string(nix.path("etc/sshd.log")).unwrap());
    }

    fn answers(&mut self, port: u16) -> bool {
        let until = Instant::now() + Duration::from_secs(30);
        while Instant::now() < until && self.sshd.try_wait().unwrap().is_none() {
            if let Ok(stream) = TcpStream::connect((Ipv4Addr::LOCALHOST, port)) {
                let mut greeting = String::new();
                let _broke = BufReader::new(stream).read_line(&mut greeting);
                return greeting.starts_with("SSH-") && self.sshd.try_wait().unwrap().is_none();
            }
            sleep(Duration::from_millis(10));
        }
        false
    }

    /// Ends all sessions, as a network does that goes away: nobody says goodbye. Gives how many there were.
    pub(crate) fn drop_sessions(&self) -> usize {
        let sessions = children(self.sshd.id());
        for session in &sessions {
            // The process that serves a session is its own, and has another that does so with less rights.
            for process in children(*session).into_iter().filter(|process| is_sshd(*process)) {
                signal("KILL", process);
            }
            signal("KILL", *session);
        }
        sessions.len()
    }

    /// Ends all sessions, and answers nobody.
    pub(crate) fn shut(&self) {
        signal("STOP", self.sshd.id());
        self.drop_sessions();
    }

    pub(crate) fn open_again(&self) {
        signal("CONT", self.sshd.id());
    }
}

impl Drop for Door {
    fn drop(&mut self) {
        let _gone = self.sshd.kill();
        self.drop_sessions();
        let _gone = self.sshd.wait();
    }
}

/// Keys for both sides, and the file of configuration for ssh.
pub(crate) struct Keys {
    folder: PathBuf,
}

impl Keys {
    pub(crate) fn make(folder: PathBuf) -> Self {
        fs::create_dir(&folder).unwrap();
        for name in ["host", "user"] {
            let mut keygen = Command::new("ssh-keygen");
            keygen.args(["-q", "-t", "ed25519", "-N", "", "-C", name, "-f", &text(&folder.join(name))]);
            output(&mut keygen);
        }
        fs::write(folder.join("config"), "").unwrap();
        Self { folder }
    }

    /// The file of configuration for ssh.
    pub(crate) fn config(&self) -> PathBuf {
        self.folder.join("config")
    }

    fn sshd(&self, port: u16, nix: &Nix) -> String {
        let environment: Vec<_> =
            nix.variables().into_iter().map(|(name, value)| format!("\"{name}={value}\"")).collect();
        format!(
            "ListenAddress 127.0.0.1:{port}\nHostKey {0}/host\nAuthorizedKeysFile {0}/user.pub\nPidFile none\n\
             StrictModes no\nUsePAM no\nPermitRootLogin yes\nPasswordAuthentication no\n\
             KbdInteractiveAuthentication no\nPermitUserRC no\nPrintMotd no\nMaxStartups 100\nSetEnv {1}\n",
            text(&self.folder),
            environment.join(" ")
        )
    }

    fn describe(&self, name: &str, port: u16) {
        let path = |name: &str| text(&self.folder.join(name));
        let key = fs::read_to_string(path("host.pub")).unwrap();
        let mut known = fs::read_to_string(path("known_hosts")).unwrap_or_default();
        known.push_str(&format!("[127.0.0.1]:{port} {key}"));
        fs::write(path("known_hosts"), known).unwrap();
        let mut config = fs::read_to_string(path("config")).unwrap();
        config.push_str(&format!(
            "Host {name}\n  HostName 127.0.0.1\n  Port {port}\n  User {}\n  IdentityFile {}\n  IdentitiesOnly yes\n  \
             IdentityAgent none\n  UserKnownHostsFile {}\n  GlobalKnownHostsFile none\n  StrictHostKeyChecking yes\n",
            output(Command::new("id").arg("-un")).trim(),
            path("user"),
            path("known_hosts"),
        ));
        fs::write(path("config"), config).unwrap();
    }
}

/// It wants to be called by its whole name, and is not where everybody looks.
fn sshd() -> PathBuf {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let folders = std::env::split_paths(&path).chain(["/usr/sbin", "/usr/local/sbin"].map(PathBuf::from));
    let sshd = folders.map(|folder| folder.join("sshd")).find(|file| file.exists()).expect("openssh-server");
    // Where it runs as root it wants this folder, which only the service makes.
    let _as_far_as_it_goes = fs::create_dir_all("/run/sshd");
    sshd
}

fn children(parent: u32) -> Vec<u32> {
    let status = |entry: fs::DirEntry| {
        let id = entry.file_name().to_str()?.parse().ok()?;
        let status = fs::read_to_string(entry.path().join("status")).ok()?;
        let of = status.lines().find_map(|line| line.strip_prefix("PPid:"))?.trim().parse::<u32>().ok()?;
        (of == parent).then_some(id)
    };
    fs::read_dir("/proc").unwrap().filter_map(|entry| status(entry.ok()?)).collect()
}

fn is_sshd(process: u32) -> bool {
    let name = fs::read_to_string(Path::new("/proc").join(process.to_string()).join("comm"));
    name.is_ok_and(|name| name.starts_with("sshd"))
}

fn signal(name: &str, process: u32) {
    let mut kill = Command::new("kill");
    let _it_may_be_gone = kill.args(["-s", name, &process.to_string()]).stderr(Stdio::null()).status();
}
