//! A network: each machine has a line of its own to where the hub is, an address, and processes that end when its power
//! does. They are namespaces of Linux, which take root.

use std::fs::{self, File, TryLockError};
use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};
use std::process::Command;

use tempfile::TempDir;

use super::fleet::HOSTS;
use super::nix::{output, text};

/// Who holds a file here has the network of its number. The lock ends with its holder, however that ends.
const CLAIMS: &str = "/run/compartment-test-networks";

/// The first process of a machine: it gives it its boot id, hides the service manager of whoever tests, uses a process
/// number again where it is to, and becomes the program behind it.
const BOOT: &str = r#"
set -eu
mount --bind "$1" /proc/sys/kernel/random/boot_id
[ ! -d /run/systemd ] || mount -t tmpfs none /run/systemd
if [ -e "$2" ]; then
    read -r number < "$2"
    echo $((number - 1)) > /proc/sys/kernel/ns_last_pid
    sleep 1000 &
    test $! = "$number"
fi
shift 2
exec "$@"
"#;

pub(crate) struct Network {
    number: u8,
    folder: TempDir,
    _claim: File,
}

/// Which way packets go, as a machine sees it.
#[derive(Clone, Copy)]
pub(crate) enum Way {
    In,
    Out,
}

impl Network {
    /// Nothing where this machine does not allow it, and says so.
    pub(crate) fn lay() -> Option<Self> {
        match Self::try_lay() {
            Ok(network) => Some(network),
            Err(why) => {
                eprintln!("skipped: {why}");
                None
            }
        }
    }

    fn try_lay() -> Result<Self, String> {
        if output(Command::new("id").arg("-u")).trim() != "0" {
            return Err("networks are for root".to_owned());
        }
        for (program, package) in
            [("ip", "iproute2"), ("iptables", "iptables"), ("unshare", "util-linux"), ("mount", "mount")]
        {
            if Command::new(program).arg("--version").output().is_err() {
                return Err(format!("there is no {program}; Debian: {package}"));
            }
        }
        let (number, claim) = claim();
        let network = Self { number, folder: tempfile::tempdir().unwrap(), _claim: claim };
        for name in HOSTS {
            if let Err(words) = network.connect(name) {
                let forbidden = ["not permitted", "denied", "Unknown device type"];
                assert!(forbidden.iter().any(|why| words.contains(why)), "{words}");
                return Err(words);
            }
            network.boots(name, 1);
        }
        Ok(network)
    }

    fn connect(&self, host: &str) -> Result<(), String> {
        let (name, [here, there]) = (self.name(host), self.addresses(host));
        ip(&["netns", "add", &name])?;
        ip(&["link", "add", &name, "type", "veth", "peer", "name", "eth0", "netns", &name])?;
        ip(&["addr", "add", &format!("{here}/30"), "dev", &name])?;
        ip(&["link", "set", &name, "up"])?;
        ip(&["-n", &name, "addr", "add", &format!("{there}/30"), "dev", "eth0"])?;
        ip(&["-n", &name, "link", "set", "lo", "up"])?;
        ip(&["-n", &name, "link", "set", "eth0", "up"])?;
        Ok(())
    }

    /// Of the namespace, and of this end of its line.
    fn name(&self, host: &str) -> String {
        name(self.number, index(host))
    }

    /// The end here, and there: in the block that is set aside for tests of networks.
    fn addresses(&self, host: &str) -> [Ipv4Addr; 2] {
        [1, 2].map(|end| Ipv4Addr::new(198, 18, self.number, 4 * index(host) + end))
    }

    pub(crate) fn address(&self, host: &str) -> Ipv4Addr {
        self.addresses(host)[1]
    }

    /// What starts a machine, before the program that is its first.
    pub(crate) fn machine(&self, host: &str) -> Vec<String> {
        let apart =
            ["unshare", "--pid", "--fork", "--kill-child", "--mount", "--mount-proc", "sh", "-c", BOOT];
        let mut words: Vec<_> = ["ip", "netns", "exec", &self.name(host)].map(str::to_owned).into();
        words.extend(apart.map(str::to_owned));
        words.extend(["boot".to_owned(), text(&self.boot_id(host)), text(&self.again(host))]);
        words
    }

    fn boot_id(&self, host: &str) -> PathBuf {
        self.folder.path().join(format!("{host}.boot"))
    }

    fn again(&self, host: &str) -> PathBuf {
        self.folder.path().join(format!("{host}.again"))
    }

    /// The next start of a machine is its nth.
    pub(crate) fn boots(&self, host: &str, nth: u32) {
        fs::write(self.boot_id(host), format!("00000000-0000-4000-8000-{nth:012}\n")).unwrap();
    }

    /// From its next start on this is the number of another process there.
    pub(crate) fn use_again(&self, host: &str, process: u32) {
        fs::write(self.again(host), format!("{process}\n")).unwrap();
    }

    /// The line works, or does not.
    pub(crate) fn link(&self, host: &str, up: bool) {
        let state = if up { "up" } else { "down" };
        ip(&["-n", &self.name(host), "link", "set", "eth0", state]).unwrap();
    }

    /// What comes in or goes out there is treated so from now on, as iptables says it.
    pub(crate) fn packets(&self, host: &str, way: Way, how: &str) {
        let chain = match way {
            Way::In => "INPUT",
            Way::Out => "OUTPUT",
        };
        self.iptables(host, &format!("-A {chain} {how}"));
    }

    /// All packets pass again.
    pub(crate) fn clear(&self, host: &str) {
        self.iptables(host, "-F");
    }

    fn iptables(&self, host: &str, words: &str) {
        let mut command = Command::new("ip");
        command.args(["netns", "exec", &self.name(host), "iptables", "-w"]).args(words.split(' '));
        output(&mut command);
    }

    /// Runs a program on a machine, and gives what it prints.
    pub(crate) fn on(&self, first_process: u32, program: &[&str]) -> String {
        let mut command = Command::new("nsenter");
        output(command.args(["--target", &first_process.to_string(), "--pid", "--mount"]).args(program))
    }
}

impl Drop for Network {
    fn drop(&mut self) {
        tear_down(self.number);
    }
}

/// The lowest number that nobody has. What former owners left behind when they were killed is removed.
fn claim() -> (u8, File) {
    fs::create_dir_all(CLAIMS).unwrap();
    let mut mine = None;
    for number in 0..=u8::MAX {
        let file = Path::new(CLAIMS).join(number.to_string());
        if mine.is_some() && !file.exists() {
            break;
        }
        let file = File::options().create(true).truncate(false).write(true).open(file).unwrap();
        match file.try_lock() {
            Ok(()) => {
                tear_down(number);
                mine.get_or_insert((number, file));
            }
            Err(TryLockError::WouldBlock) => {}
            Err(TryLockError::Error(error)) => panic!("{error}"),
        }
    }
    mine.unwrap()
}

fn tear_down(number: u8) {
    for host in 0..=u8::try_from(HOSTS.len()).unwrap() {
        let name = name(number, host);
        if Path::new("/run/netns").join(&name).exists() {
            for process in ip(&["netns", "pids", &name]).unwrap_or_default().lines() {
                let _it_may_be_gone = Command::new("kill").args(["-KILL", process]).output();
            }
            let _left_by_others = ip(&["netns", "del", &name]);
        }
        if Path::new("/sys/class/net").join(&name).exists() {
            // It goes with its namespace, in a while.
            let _gone = ip(&["link", "del", &name]);
        }
    }
}

/// No longer than the name of a line may be.
fn name(number: u8, host: u8) -> String {
    format!("cmptest{number}-{host}")
}

fn index(host: &str) -> u8 {
    HOSTS.iter().position(|name| *name == host).unwrap().try_into().unwrap()
}

/// What it prints, or in words why not.
fn ip(arguments: &[&str]) -> Result<String, String> {
    let output = Command::new("ip").args(arguments).output().unwrap();
    let text = |printed| String::from_utf8_lossy(printed).into_owned();
    let words = || format!("ip {}: {}", arguments.join(" "), text(&output.stderr).trim());
    if output.status.success() { Ok(text(&output.stdout)) } else { Err(words()) }
}

#[test]
fn what_killed_runs_left_is_removed() {
    let Some(network) = Network::lay() else { return };
    drop(network);
    // Whoever is killed leaves all but the lock. It may be found by others, too.
    let (number, claimed) = claim();
    let name = name(number, 0);
    ip(&["netns", "add", &name]).unwrap();
    let mut left = Command::new("ip").args(["netns", "exec", &name, "sleep", "600"]).spawn().unwrap();
    while !ip(&["netns", "pids", &name]).unwrap().contains(&left.id().to_string()) {
        std::thread::yield_now();
    }
    drop(claimed);
    let _mine = claim();
    assert!(!left.wait().unwrap().success());
}
