//! The command `ssh`, with a real sshd and nothing else running.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a test that finds something else has failed")]

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use anstream::adapter::strip_str;
use clap::Parser;
use compartment::ssh::{Cli, FleetError, run};
use compartment_console::{Completion, Entered, MatrixError, Screen, Terminal};
use compartment_local::run::Stop;
use tempfile::TempDir;

use crate::shared::Shared;
use crate::sshd::Sshd;

#[path = "../../compartment-console/tests/matrix/shared.rs"]
mod shared;

#[expect(dead_code, reason = "it can do more than is needed here")]
#[path = "../../compartment-transport-ssh/tests/common/sshd.rs"]
mod sshd;

/// A repository, a host with a clone of it, and another that is not there.
struct World {
    folder: TempDir,
    sshd: Sshd,
}

impl World {
    fn new() -> Self {
        let this = Self { folder: tempfile::tempdir().unwrap(), sshd: Sshd::start() };
        git(this.folder.path(), &["init", "--quiet", "--initial-branch=main", "remote"]);
        this.commit("{}");
        git(this.folder.path(), &["clone", "--quiet", "remote", "checkout"]);
        this.sshd.ssh_config("Host away\n  HostName 127.0.0.1\n  Port 9");
        this.inventory(&["gpc0", "away"]);
        this
    }

    fn inventory(&self, hosts: &[&str]) {
        let at = |name: &str| self.folder.path().join(name).display().to_string();
        let inventory = format!(
            "[ssh]\nconfig_file = '{}'\n[defaults]\ncheckout = '{}'\nstate = '{}'\ninterval_s = 1\n\
             profile = '{}'\ncommands = {{ switch = [['true']], limits = {{ test_s = 300 }} }}\n",
            self.sshd.path("ssh_config").display(),
            at("checkout"),
            at("state"),
            at("profile"),
        );
        let hosts = hosts.iter().map(|host| format!("[[hosts]]\nname = '{host}'\n"));
        fs::write(at("hosts.toml"), inventory + &hosts.collect::<String>()).unwrap();
    }

    fn commit(&self, lock: &str) {
        fs::write(self.folder.path().join("remote/flake.lock"), lock).unwrap();
        git(&self.folder.path().join("remote"), &["add", "--all"]);
        git(&self.folder.path().join("remote"), &["commit", "--quiet", "--message", "A change"]);
    }

    /// Whether an operation has ended on the host, and nobody has fetched its result.
    fn has_ended(&self) -> bool {
        let found =
            Command::new("find").arg(self.folder.path().join("state")).args(["-name", "ended"]).output();
        !found.unwrap().stdout.is_empty()
    }

    fn cli(&self, args: &[&str]) -> Cli {
        let inventory = self.folder.path().join("hosts.toml").display().to_string();
        let cli = ["ssh", "--inventory", &inventory, "--by", "mba"].into_iter().chain(args.iter().copied());
        Cli::try_parse_from(cli).unwrap()
    }

    /// The same in a thread of its own, until `stop` is asked. Gives what it says besides.
    fn started(
        &self,
        args: &[&str],
        output: &Shared,
        stop: &Stop,
    ) -> std::thread::JoinHandle<(Result<Completion, FleetError>, String)> {
        let (cli, mut to, stop) = (self.cli(args), output.clone(), stop.clone());
        std::thread::spawn(move || {
            let mut aside = Vec::new();
            let surroundings = Terminal {
                token: None,
                output: &mut to,
                aside: &mut aside,
                answer: None,
                screen: None,
                within: None,
                width: None,
                watched: false,
                stop,
            };
            (run(cli, surroundings), String::from_utf8(aside).unwrap())
        })
    }

    /// What comes of it, and what it says.
    fn asked(&self, args: &[&str]) -> (Result<Completion, FleetError>, String, String) {
        let cli = self.cli(args);
        let (mut output, mut aside) = (Vec::new(), Vec::new());
        let surroundings = Terminal {
            token: None,
            output: &mut output,
            aside: &mut aside,
            answer: None,
            screen: None,
            within: None,
            width: None,
            watched: false,
            stop: Stop::default(),
        };
        let done = run(cli, surroundings);
        let text = |bytes: &[u8]| strip_str(&String::from_utf8_lossy(bytes)).to_string();
        (done, text(&output), text(&aside))
    }
}

fn git(folder: &Path, args: &[&str]) {
    let git = Command::new("git")
        .args(["-c", "user.name=A", "-c", "user.email=a@example.org", "-C"])
        .arg(folder)
        .args(args)
        .env("GIT_CONFIG_GLOBAL", "/dev/null")
        .status();
    assert!(git.unwrap().success(), "git {args:?}");
}

#[test]
fn a_fleet_with_nothing_else_running() {
    let world = World::new();
    let data = world.folder.path().join("data").display().to_string();
    let remote = world.folder.path().join("remote").display().to_string();

    let (done, output, _) = world.asked(&["check"]);
    assert_eq!(done.unwrap(), Completion::NotAll, "{output}");
    assert!(output.contains("gpc0\n") && output.contains("✓ git:"), "{output}");
    assert!(output.contains("✗ rollback: it would be refused: this host has no command for"), "{output}");
    assert!(output.contains("✗ connection: refused: nothing listens there"), "{output}");
    world.inventory(&[]);
    for args in [&["check"][..], &["generations", "gpc0"], &[], &["pull", "--all"]] {
        let said = world.asked(args).0.unwrap_err().to_string();
        assert_eq!(said, "the inventory has no hosts; write `[[hosts]]` and `name = …` for each");
    }
    world.inventory(&["gpc0", "away"]);

    let fleet = ["--forge", &remote, "--data", &data];
    let ask = |args: &[&str]| world.asked(&[&fleet[..], args].concat());
    world.commit("{\"new\": true}");
    let (done, output, aside) = ask(&["--format", "json"]);
    assert_eq!(done.unwrap(), Completion::Done);
    let shown: serde_json::Value = serde_json::from_str(&output).unwrap();
    let row = |shown: &serde_json::Value, host: &str| {
        shown["hosts"].as_array().unwrap().iter().find(|row| row["host"] == host).unwrap().clone()
    };
    assert_eq!(row(&shown, "gpc0")["cells"]["git"]["status"], "outdated", "{output}");
    assert_eq!(row(&shown, "away")["presence"], "never", "{output}");
    assert!(aside.contains("away: cannot be reached: refused"), "{aside}");

    let (done, output, aside) = ask(&["pull", "gpc0"]);
    assert_eq!(done.unwrap(), Completion::Done, "{output} {aside}");
    let (done, output, aside) = ask(&["switch", "gpc0"]);
    assert_eq!(done.unwrap(), Completion::Done, "{output} {aside}");
    let (_, output, _) = ask(&["--format", "json"]);
    let cells = &row(&serde_json::from_str(&output).unwrap(), "gpc0")["cells"];
    for cell in ["git", "lock", "system"] {
        assert_eq!(cells[cell]["status"], "ok", "{output}");
    }
    let (_, output, _) = ask(&["log", "gpc0"]);
    assert!(output.contains("pull") && output.contains("mba"), "{output}");
    // One limit for tests: the inventory's is the hub's.
    assert!(output.contains("tests off, 300 s each"), "{output}");
    let said = ask(&["host", "set", "gpc0", "--test-limit", "5"]).0.unwrap_err().to_string();
    assert!(
        said.starts_with("the inventory says which hosts there are and how they are configured"),
        "{said}"
    );
    let (_, output, _) = ask(&["host", "show", "gpc0"]);
    assert!(output.contains("Tests: off"), "{output}");
    // One that is in it no more can be forgotten; one that is in it cannot.
    assert!(ask(&["host", "remove", "away", "--yes"]).0.is_err());
    world.inventory(&["gpc0"]);
    let (done, output, aside) = ask(&["host", "remove", "away", "--yes"]);
    assert_eq!(done.unwrap(), Completion::Done, "{output} {aside}");
    let (_, output, _) = ask(&["--format", "json"]);
    assert!(!output.contains("away"), "{output}");
    world.inventory(&["gpc0", "away"]);

    let (done, ..) = ask(&["pull", "gpc7"]);
    assert_eq!(done.unwrap_err().to_string(), "gpc7 is not in the inventory; there are away, gpc0");
}

#[test]
fn what_cannot_be_stopped_later_is_said() {
    let world = World::new();
    let hosts = world.folder.path().join("hosts.toml");
    let go = world.folder.path().join("go");
    let waits = format!("['sh', '-c', 'echo now; until [ -e {} ]; do sleep 0.05; done']", go.display());
    fs::write(&hosts, fs::read_to_string(&hosts).unwrap().replace("['true']", &waits)).unwrap();
    let data = world.folder.path().join("data").display().to_string();
    for (data, advice) in [
        (&[][..], "Without --data nothing remembers it, so that no other call can stop it".to_owned()),
        (&["--data", &data], format!(" --data {data} stop gpc0 ")),
    ] {
        let (output, stop) = (Shared::default(), Stop::default());
        let asked = world.started(&[data, &["switch", "--force", "gpc0"]].concat(), &output, &stop);
        output.until("now");
        stop.ask();
        let (done, aside) = asked.join().unwrap();
        assert!(matches!(done, Err(FleetError::Matrix(MatrixError::Interrupted))), "{aside}");
        assert!(aside.contains(&advice), "{aside}");
        if data.is_empty() {
            fs::write(&go, "").unwrap();
            let begun = Instant::now();
            while !world.has_ended() {
                assert!(begun.elapsed() < shared::LIMIT, "it does not end");
                std::thread::sleep(Duration::from_millis(20));
            }
            fs::remove_file(&go).unwrap();
        } else {
            let (done, output, aside) = world.asked(&[data, &["stop", "gpc0"]].concat());
            assert_eq!(done.unwrap(), Completion::Done, "{output} {aside}");
        }
    }
}

/// Several calls have the same folder at the same time: one of them owns it, and the others ask through that one.
#[test]
fn others_ask_through_the_call_that_has_the_data() {
    let world = World::new();
    let hosts = world.folder.path().join("hosts.toml");
    let waits = "['sh', '-c', 'echo now; exec sleep 60']";
    fs::write(&hosts, fs::read_to_string(&hosts).unwrap().replace("['true']", waits)).unwrap();
    let data = world.folder.path().join("data").display().to_string();
    let remote = world.folder.path().join("remote").display().to_string();
    let fleet = ["--data", &data, "--forge", &remote];
    let start = |args: &[&str], output: &Shared, stop: &Stop| {
        world.started(&[&fleet[..], args].concat(), output, stop)
    };
    // A live matrix in lines, for as long as the others are at work.
    let (lines, stop) = (Shared::default(), Stop::default());
    let watching = start(&["--watch"], &lines, &stop);
    lines.until("gpc0: ");
    let ask = |args: &[&str]| world.asked(&[&fleet[..], args].concat());
    let (done, output, aside) = ask(&["pull", "gpc0"]);
    assert_eq!(done.unwrap(), Completion::Done, "{output} {aside}");
    assert!(aside.contains("asks through the call of process"), "{aside}");
    let said = ask(&["--branch", "other", "log", "gpc0"]).0.unwrap_err().to_string();
    assert!(said.contains(&format!("with --forge {remote} --branch main: end that first")), "{said}");
    // Whoever says nothing of it takes what is there.
    let (done, _, aside) = world.asked(&["--data", &data, "log", "gpc0"]);
    assert!(done.is_ok() && aside.contains("asks through"), "{aside}");
    // Two at a time, of which one stops what the other has begun.
    let printed = Shared::default();
    let switching = start(&["switch", "gpc0"], &printed, &Stop::default());
    printed.until("now");
    let (done, output, aside) = ask(&["stop", "gpc0"]);
    assert_eq!(done.unwrap(), Completion::Done, "{output} {aside}");
    let (done, aside) = switching.join().unwrap();
    assert_eq!(done.unwrap(), Completion::NotAll, "{aside}");
    let (_, output, _) = ask(&["log", "gpc0"]);
    assert!(output.contains("switch stopped"), "{output}");
    // Who only watches ends with the one that it asks through.
    let second = Shared::default();
    let guest = start(&["--watch"], &second, &Stop::default());
    second.until("gpc0: ");
    stop.ask();
    assert!(matches!(watching.join().unwrap().0, Err(FleetError::Matrix(MatrixError::Interrupted))));
    assert!(matches!(guest.join().unwrap().0, Err(FleetError::OwnerEnded(_))));
    let (done, _, aside) = ask(&["log", "gpc0"]);
    assert!(done.is_ok() && !aside.contains("asks through"), "{aside}");
}

#[test]
fn where_a_rollback_can_go_is_listed() {
    let world = World::new();
    let at = |name: &str| world.folder.path().join(name);
    let (done, output, _) = world.asked(&["generations", "gpc0"]);
    assert_eq!(done.unwrap(), Completion::Done);
    assert_eq!(output, "gpc0 has no generations in its profile.\n");
    for number in [8, 9, 10] {
        fs::create_dir_all(at(&format!("store/s{number}"))).unwrap();
        symlink(at(&format!("store/s{number}")), at(&format!("profile-{number}-link"))).unwrap();
    }
    symlink("profile-9-link", at("profile")).unwrap();
    let (_, output, _) = world.asked(&["generations", "gpc0"]);
    let lines: Vec<Vec<_>> = output.lines().map(|line| line.split_whitespace().collect()).collect();
    let store = at("store").canonicalize().unwrap().display().to_string();
    assert_eq!(
        lines[2..],
        [
            vec!["8", &format!("{store}/s8")],
            vec!["9", "current", &format!("{store}/s9")],
            vec!["10", &format!("{store}/s10")]
        ]
    );
    let said = world.asked(&["generations", "away"]).0.unwrap_err().to_string();
    assert!(said.starts_with("away cannot be reached: refused: "), "{said}");
}

#[test]
fn why_something_cannot_be_read_is_said() {
    let world = World::new();
    fs::remove_file(world.folder.path().join("checkout/.git/HEAD")).unwrap();
    let remote = world.folder.path().join("remote").display().to_string();
    let (done, output, aside) = world.asked(&["--forge", &remote, "--host", "gpc0"]);
    assert_eq!(done.unwrap(), Completion::Done);
    assert!(output.contains("could not be read"), "{output}");
    assert!(aside.starts_with("gpc0: cannot be read: cannot read the state of "), "{aside}");
    assert!(!aside.contains("; ?"), "{aside}");
    assert!(!aside.contains("away"), "nobody asked for it: {aside}");
}

#[test]
fn a_host_that_hangs_delays_nobody() {
    let world = World::new();
    let hangs = Sshd::with("ForceCommand exec sleep 60");
    world.sshd.ssh_config(&hangs.entry("hangs"));
    world.inventory(&["gpc0", "hangs"]);
    let remote = world.folder.path().join("remote").display().to_string();
    let begun = Instant::now();

    let (done, output, aside) = world.asked(&["--forge", &remote, "pull", "gpc0"]);
    assert_eq!(done.unwrap(), Completion::Done, "{output} {aside}");
    assert!(!aside.contains("hangs"), "nobody asked for it: {aside}");
    let (done, output, aside) = world.asked(&["--forge", &remote, "pull", "--all"]);
    assert_eq!(done.unwrap(), Completion::NotAll, "{output} {aside}");
    assert!(output.contains("offline: not asked, it was never heard"), "{output}");
    let (done, output, aside) = world.asked(&[]);
    assert_eq!(done.unwrap(), Completion::Done, "{output} {aside}");
    assert!(output.contains("1 online, 1 never heard"), "{output}");
    assert!(aside.contains("hangs: has not answered yet"), "{aside}");

    // One look at the host that hangs takes that long.
    assert!(begun.elapsed() < Duration::from_secs(30), "{:?}", begun.elapsed());
}

#[test]
fn the_live_screen_says_why_a_host_cannot_be_reached_until_it_can() {
    let mut world = World::new();
    let (shown, stop) = (Shared::default(), Stop::default());
    let (cli, on, stopped) = (world.cli(&["--watch"]), shown.clone(), stop.clone());
    let watching = std::thread::spawn(move || {
        let screen = Screen {
            output: Box::new(on),
            colours: true,
            size: Box::new(|| Some((80, 40))),
            entered: Entered::default(),
            stop: Box::new(|| panic!("nobody asked for that")),
        };
        let mut aside = Vec::new();
        let surroundings = Terminal {
            token: None,
            output: &mut std::io::sink(),
            aside: &mut aside,
            answer: None,
            screen: Some(screen),
            within: None,
            width: None,
            watched: false,
            stop: stopped,
        };
        (run(cli, surroundings), String::from_utf8(aside).unwrap())
    });
    let away = |host: &str| {
        format!("  {host}: refused: nothing listens there; is sshd running, and the port right? (")
    };
    let is_told = |lines: &[String], host: &str| lines.iter().any(|line| line.starts_with(&away(host)));
    let lines = shown.frame_until(|lines| is_told(lines, "away"));
    assert!(!is_told(&lines, "gpc0"), "{lines:#?}");
    shown.frame_until(|lines| lines.iter().any(|line| line.contains("1 online")));
    world.sshd.down();
    let lines = shown.frame_until(|lines| is_told(lines, "gpc0"));
    assert!(is_told(&lines, "away"), "{lines:#?}");
    world.sshd.up();
    shown.frame_until(|lines| is_told(lines, "away") && !is_told(lines, "gpc0"));
    stop.ask();
    let (done, aside) = watching.join().unwrap();
    assert!(matches!(done, Err(FleetError::Matrix(MatrixError::Interrupted))));
    // All of it, once there is room.
    assert!(
        aside.contains("away: cannot be reached: refused") && aside.contains("Connection refused"),
        "{aside}"
    );
}
