//! `compartment agent enrol`: a line from a real hub, pasted on a host, until the hub hears a real agent.

#![expect(clippy::unwrap_used, reason = "a test that finds something else has failed")]

use std::fs::{self, File};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use compartment_runtime::Clock;
use compartment_runtime::hub::SystemClock;
use compartment_transport_http::server::access::TokenFile;
use rustix::process::{Pid, Signal, kill_process_group};
use tempfile::TempDir;

const PROGRAM: &str = env!("CARGO_BIN_EXE_compartment");

/// How long anything may take; each needs a moment.
const LIMIT: Duration = Duration::from_secs(60);

/// A folder with a hub that runs, and a machine that it does not know.
struct World {
    top: PathBuf,
    url: String,
    hub: Child,
    _folder: TempDir,
}

impl World {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let top = folder.path().canonicalize().unwrap();
        // Another user passes through, too.
        fs::set_permissions(&top, fs::Permissions::from_mode(0o755)).unwrap();
        let made =
            program(&top, &["hub", "token", "add", "--data", "data", "--operator", "mba", "--out", "mba"]);
        assert!(ended(made).status.success());
        let mut serve = program(&top, &["hub", "--data", "data", "--listen", "127.0.0.1:0"]);
        let log = File::create(top.join("hub.log")).unwrap();
        let mut hub = serve.stdout(Stdio::piped()).stderr(log).spawn().unwrap();
        let said = BufReader::new(hub.stdout.take().unwrap()).lines().next().unwrap().unwrap();
        let url = said.split([' ', ',']).find(|word| word.starts_with("http://")).unwrap().to_owned();
        let git = |args: &[&str]| {
            let mut git = Command::new("git");
            git.args(["-c", "user.name=x", "-c", "user.email=x@example.org"]).args(args).current_dir(&top);
            assert!(ended(git).status.success(), "{args:?}");
        };
        git(&["init", "--quiet", "--initial-branch=main", "config.git"]);
        git(&["-C", "config.git", "commit", "--quiet", "--allow-empty", "-m", "first"]);
        Self { top, url, hub, _folder: folder }
    }

    fn at(&self, name: &str) -> PathBuf {
        self.top.join(name)
    }

    fn text(&self, name: &str) -> String {
        fs::read_to_string(self.at(name)).unwrap_or_default()
    }

    /// What somebody would paste on a host.
    fn line(&self, host: &str, url: &str) -> String {
        let add = ["hub", "token", "add", "--data", "data", "--host", host, "--enrol", url];
        let Output { status, stdout, stderr } = ended(program(&self.top, &add));
        let [stdout, stderr] = [stdout, stderr].map(|bytes| String::from_utf8(bytes).unwrap());
        assert!(status.success() && stderr.contains("good once, within 15 min"), "{stderr}");
        let [line] = stdout.lines().collect::<Vec<_>>()[..] else { unreachable!("one line: {stdout}") };
        let line = line.strip_prefix("compartment agent enrol '").unwrap().strip_suffix('\'').unwrap();
        assert!(line.starts_with(url) && line.contains(&format!("/#{host}:cme_")), "{line}");
        line.to_owned()
    }

    /// Somebody pastes it, on a machine that is the folder `root`.
    fn enrol(&self, root: &str, line: &str, more: &[&str]) -> Told {
        let args = [&["agent", "enrol", line, "--root", root, "--platform", "none"], more].concat();
        let mut enrol = program(&self.top, &args);
        enrol.args(["--remote"]).arg(self.at("config.git"));
        let told = Told::of(ended(enrol));
        let code = line.rsplit('_').next().unwrap();
        assert!(!told.all().contains(code), "the code is shown: {}", told.all());
        told
    }

    /// A machine with systemd: what its `systemctl` does stands in `words`, of a shell.
    fn machine(&self, name: &str, words: &str) -> PathBuf {
        let root = self.at(name);
        for folder in ["run/systemd/system", "etc/systemd/system", "var/lib"] {
            fs::create_dir_all(root.join(folder)).unwrap();
        }
        let top = self.top.display();
        self.systemctl(&format!(
            "echo \"$*\" >> {top}/calls\nunit={top}/{name}/etc/systemd/system/$2\n{words}\n"
        ));
        root
    }

    fn systemctl(&self, words: &str) {
        let systemctl = self.at("bin/systemctl");
        fs::create_dir_all(self.at("bin")).unwrap();
        fs::write(&systemctl, format!("#!/bin/sh\n{words}")).unwrap();
        fs::set_permissions(&systemctl, fs::Permissions::from_mode(0o755)).unwrap();
    }

    /// Ends the agent that `systemctl` has started, if there is one.
    fn kill_agent(&self) {
        if let Some(agent) = self.text("pid").trim().parse().ok().and_then(Pid::from_raw) {
            let _gone = kill_process_group(agent, Signal::KILL);
        }
    }

    fn matrix(&self) -> String {
        let args = ["matrix", "--hub", &self.url, "--token-file", "mba", "--format", "ndjson"];
        let shown = ended(program(&self.top, &args));
        assert!(shown.status.success(), "{shown:?}");
        String::from_utf8(shown.stdout).unwrap()
    }

    fn tokens(&self) -> String {
        let listed = ended(program(&self.top, &["hub", "token", "list", "--data", "data"]));
        String::from_utf8(listed.stdout).unwrap()
    }
}

impl Drop for World {
    fn drop(&mut self) {
        self.kill_agent();
        drop(self.hub.kill());
        drop(self.hub.wait());
    }
}

/// Starts the command of a unit, as it stands there, and nothing else of it.
const STARTS: &str = "\
if [ \"$1\" = restart ]; then
    start=$(sed -n 's/^ExecStart=//p' \"$unit\")
    setsid $start > \"${unit%/*}/log\" 2>&1 < /dev/null &
    echo $! > \"$(dirname \"$0\")/../pid\"
fi";

fn program(top: &Path, args: &[&str]) -> Command {
    let mut command = Command::new(PROGRAM);
    let path = format!("{}/bin:{}", top.display(), std::env::var("PATH").unwrap());
    command.args(args).current_dir(top).env("HOME", top.join("home")).env("PATH", path).stdin(Stdio::null());
    command.env_remove("XDG_CONFIG_HOME").env_remove("XDG_STATE_HOME").process_group(0);
    command.envs([("GIT_CONFIG_GLOBAL", "/dev/null"), ("GIT_CONFIG_NOSYSTEM", "1")]);
    command
}

/// What came of a program that ends within the limit.
fn ended(mut command: Command) -> Output {
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let group = Pid::from_child(&child);
    let done = Arc::new(AtomicBool::new(false));
    let (watched, begun) = (Arc::clone(&done), Instant::now());
    let watch = std::thread::spawn(move || {
        while !watched.load(Ordering::Relaxed) && begun.elapsed() < LIMIT * 2 {
            std::thread::sleep(Duration::from_millis(20));
        }
        if !watched.load(Ordering::Relaxed) {
            let _gone = kill_process_group(group, Signal::KILL);
        }
    });
    let (mut out, mut err) = (child.stdout.take().unwrap(), child.stderr.take().unwrap());
    let reading = std::thread::spawn(move || {
        let mut bytes = Vec::new();
        err.read_to_end(&mut bytes).unwrap();
        bytes
    });
    let mut stdout = Vec::new();
    out.read_to_end(&mut stdout).unwrap();
    let status = child.wait().unwrap();
    done.store(true, Ordering::Relaxed);
    watch.join().unwrap();
    Output { status, stdout, stderr: reading.join().unwrap() }
}

struct Told {
    code: Option<i32>,
    output: String,
    complaint: String,
}

impl Told {
    fn of(Output { status, stdout, stderr }: Output) -> Self {
        let [output, complaint] = [stdout, stderr].map(|bytes| String::from_utf8(bytes).unwrap());
        Self { code: status.code(), output, complaint }
    }

    fn all(&self) -> String {
        format!("{}\n{}", self.output, self.complaint)
    }

    fn done(self) -> String {
        assert_eq!(self.code, Some(0), "{}", self.all());
        self.output
    }

    fn refused(self, words: &str) -> String {
        assert_eq!(self.code, Some(1), "{}", self.all());
        assert!(self.complaint.contains(words), "{words}: {}", self.all());
        self.all()
    }
}

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o7777
}

fn is_root() -> bool {
    let is_root = rustix::process::geteuid().is_root();
    if !is_root {
        println!("not root: nothing is tested");
    }
    is_root
}

#[test]
fn one_line_makes_an_agent_that_the_hub_hears() {
    if !is_root() {
        return;
    }
    let world = World::new();
    let root = world.machine("gpc0", STARTS);
    let line = world.line("gpc0", &world.url);
    let told = world.enrol("gpc0", &line, &["--branch", "main"]).done();
    let order = ["it does (ok)", "Will:", "Done:", "Check:", "lets this host speak", "Started:", "Online:"];
    let places: Vec<_> =
        order.iter().map(|word| told.find(word).unwrap_or_else(|| unreachable!("{word}: {told}"))).collect();
    assert!(places.is_sorted(), "{told}");
    assert_eq!(
        world.text("calls"),
        "daemon-reload\nenable compartment-agent.service\nrestart compartment-agent.service\n"
    );
    let folder = root.join("etc/compartment");
    assert_eq!(
        [mode(&folder), mode(&folder.join("agent.toml")), mode(&folder.join("agent.token"))],
        [0o755, 0o600, 0o600]
    );
    assert_eq!(fs::read_dir(&folder).unwrap().count(), 2, "nothing else is left there");
    let unit = fs::read_to_string(root.join("etc/systemd/system/compartment-agent.service")).unwrap();
    let config = folder.join("agent.toml");
    assert!(unit.contains(&format!("ExecStart={PROGRAM} agent --config {}\n", config.display())), "{unit}");
    assert_eq!(mode(&root.join("etc/systemd/system/compartment-agent.service")), 0o644);
    let rows = world.matrix();
    assert!(rows.contains("\"host\":\"gpc0\"") && rows.contains("\"presence\":\"online\""), "{rows}");
    assert!(world.tokens().contains("enrolment of gpc0"), "{}", world.tokens());

    // The code has ended: who finds it in a history gets nothing, and is told, and so is who looks at the tokens.
    let stolen = world.enrol("other", &line, &["--no-start"]);
    let told = stolen.refused("this enrolment code was used before");
    assert!(told.contains("somebody else can speak for the host"), "{told}");
    assert!(!world.at("other/etc/compartment").exists(), "nothing is left");
    assert!(world.tokens().contains("tried again"), "{}", world.tokens());
    // Whoever pastes the line twice is told, and nothing changes.
    let before = fs::read(folder.join("agent.token")).unwrap();
    world.enrol("gpc0", &line, &[]).refused("agent.token is there already");
    assert_eq!(fs::read(folder.join("agent.token")).unwrap(), before);
    // A new line puts another agent in its place, if that is said.
    let line = world.line("gpc0", &world.url);
    world.enrol("gpc0", &line, &[]).refused("is there already");
    world.kill_agent();
    world.enrol("gpc0", &line, &["--replace"]).done();
    assert_ne!(fs::read(folder.join("agent.token")).unwrap(), before);
}

#[test]
fn what_is_no_good_changes_nothing_on_the_host() {
    let world = World::new();
    let file = TokenFile::existing(&world.at("data")).unwrap();
    let now = SystemClock::default().wall();
    let expired = file.add_code("gpc0".parse().unwrap(), now, None, now).unwrap();
    let expired = format!("{}/#gpc0:{}", world.url, expired.reveal());
    let good = world.line("gpc0", &world.url);
    let code = good.rsplit(':').next().unwrap();
    let nowhere = format!("http://127.0.0.1:1/#gpc0:{code}");
    let plain = format!("http://192.0.2.1/#gpc0:{code}");
    let other = good.replace("#gpc0", "#gpc1");
    for (line, words) in [
        (&expired, "this enrolment code expired at"),
        (&other, "is for the host gpc0, and for no other"),
        (&nowhere, "the hub cannot be reached"),
        (&plain, "is not encrypted"),
    ] {
        let config = world.at("agent/agent.toml");
        world.enrol("none", line, &["--no-start", "--config", config.to_str().unwrap()]).refused(words);
        assert!(!world.at("agent").exists(), "{words}");
    }
    let short = Told::of(ended(program(&world.top, &["agent", "enrol", &good[..good.len() - 1]])));
    let told = short.refused("has all of the line been copied?");
    assert!(!told.contains(&code[21..40]), "{told}");
    // The code is as it was, and a file that is there, too.
    let config = world.at("agent/agent.toml");
    let more = ["--no-start", "--config", config.to_str().unwrap()];
    fs::create_dir(world.at("agent")).unwrap();
    for name in ["agent.toml", "agent.token"] {
        fs::write(world.at("agent").join(name), "mine").unwrap();
        world.enrol("none", &good, &more).refused(&format!("agent/{name} is there already"));
        assert_eq!(world.text(&format!("agent/{name}")), "mine");
        fs::remove_file(world.at("agent").join(name)).unwrap();
    }
    fs::write(&config, "mine").unwrap();
    let told = world.enrol("none", &good, &[&more[..], &["--replace"]].concat()).done();
    assert!(
        told.contains("start nothing (--no-start)") && told.contains("compartment agent --config"),
        "{told}"
    );
    assert!(world.text("agent/agent.toml").contains("host = \"gpc0\""));
    assert_eq!(world.text("calls"), "", "nothing is started");
}

/// Between the hub and the host: it passes on what is asked, and loses the first answer to an exchange.
fn lossy(hub: &str) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let (hub, lost) = (hub.strip_prefix("http://").unwrap().to_owned(), Arc::new(AtomicBool::new(false)));
    std::thread::spawn(move || {
        for client in listener.incoming().map_while(Result::ok) {
            let (hub, lost) = (TcpStream::connect(&hub).unwrap(), Arc::clone(&lost));
            let loses = Arc::new(Mutex::new(false));
            let pipe = |mut from: TcpStream, mut to: TcpStream, asks: bool| {
                let (lost, loses) = (Arc::clone(&lost), Arc::clone(&loses));
                std::thread::spawn(move || {
                    let mut bytes = [0; 65536];
                    while let Ok(count @ 1..) = from.read(&mut bytes) {
                        let exchanges = String::from_utf8_lossy(&bytes[..count]).contains("/token HTTP");
                        if asks && exchanges && !lost.swap(true, Ordering::Relaxed) {
                            *loses.lock().unwrap() = true;
                        }
                        if !asks && *loses.lock().unwrap() {
                            break;
                        }
                        to.write_all(&bytes[..count]).unwrap_or(());
                    }
                    drop(to.shutdown(Shutdown::Both));
                });
            };
            pipe(client.try_clone().unwrap(), hub.try_clone().unwrap(), true);
            pipe(hub, client, false);
        }
    });
    format!("http://{address}")
}

#[test]
fn an_answer_that_is_lost_locks_nobody_out() {
    let world = World::new();
    let line = world.line("gpc0", &lossy(&world.url));
    let config = world.at("agent/agent.toml");
    world.enrol("none", &line, &["--no-start", "--config", config.to_str().unwrap()]).done();
    assert_eq!(world.text("hub.log").matches("a host was enrolled").count(), 2, "{}", world.text("hub.log"));
    assert!(!world.tokens().contains("tried again"), "{}", world.tokens());
}

#[test]
fn a_run_that_was_killed_or_failed_is_gone_on_with_by_the_same_line() {
    if !is_root() {
        return;
    }
    let world = World::new();
    world.machine("gpc0", "echo broken >&2; exit 1");
    let line = world.line("gpc0", &world.url);
    let told = world.enrol("gpc0", &line, &[]).refused("`systemctl daemon-reload` failed: broken");
    assert!(told.contains("run the same line again"), "{told}");
    let token = world.text("gpc0/etc/compartment/agent.token");
    // Killed, with no chance to put anything away.
    world.machine("gpc0", "kill -9 $PPID; sleep 1");
    assert_eq!(world.enrol("gpc0", &line, &[]).code, None);
    // Killed before the settings were there: only what the hub was told of is left.
    fs::remove_file(world.at("gpc0/etc/compartment/agent.token")).unwrap();
    fs::remove_file(world.at("gpc0/etc/compartment/agent.toml")).unwrap();
    world.machine("gpc0", STARTS);
    world.enrol("gpc0", &line, &[]).done();
    assert_eq!(world.text("gpc0/etc/compartment/agent.token"), token, "it is the same one");
    assert!(!world.at("gpc0/etc/compartment/agent.token.enrolling").exists());
    assert!(!world.tokens().contains("tried again"), "{}", world.tokens());
}

#[test]
fn on_nixos_it_says_what_goes_into_the_configuration() {
    if !is_root() {
        return;
    }
    let world = World::new();
    world.machine("gpc0", STARTS);
    fs::write(world.at("gpc0/etc/NIXOS"), "").unwrap();
    let line = world.line("gpc0", &world.url);
    let mut enrol = program(&world.top, &["agent", "enrol", &line, "--root", "gpc0", "--remote"]);
    enrol.arg(world.at("config.git")).args(["--branch", "live${x}"]);
    let told = Told::of(ended(enrol));
    // There is no such branch, and no nixos-rebuild: the host is enrolled all the same, and that is said.
    let told = told.refused("gpc0 is enrolled, and the check found what is wrong");
    let folder = world.at("gpc0");
    for line in [
        "services.compartment.agent = {".to_owned(),
        format!("tokenFile = \"{}/etc/compartment/agent.token\";", folder.display()),
        format!("settings.hub.url = \"{}/\";", world.url),
        format!("settings.checkout.remote = \"{}\";", world.at("config.git").display()),
        "settings.checkout.branch = \"live\\${x}\";".to_owned(),
        "sudo nixos-rebuild switch --flake .#gpc0".to_owned(),
    ] {
        assert!(told.contains(&line), "{line}: {told}");
    }
    assert!(world.text("gpc0/etc/compartment/agent.toml").contains("commands = \"nixos\""));
    assert_eq!(world.text("calls"), "", "systemd is NixOS' own");
}

#[test]
fn a_user_gets_an_agent_in_the_home() {
    if !is_root() {
        return;
    }
    let world = World::new();
    world.machine("gpc0", STARTS);
    // The program where everybody may run it, and a home of another user's.
    fs::copy(PROGRAM, world.at("compartment")).unwrap();
    fs::create_dir(world.at("home")).unwrap();
    for name in ["home", "config.git"] {
        let mut chown = Command::new("chown");
        chown.args(["-R", "65534:65534"]).arg(world.at(name));
        assert!(ended(chown).status.success());
    }
    let line = world.line("mba", &world.url);
    fs::write(world.at("line"), format!("compartment agent enrol '{line}'\n")).unwrap();
    let mut enrol = Command::new("setpriv");
    enrol.args(["--reuid=65534", "--regid=65534", "--clear-groups"]).arg(world.at("compartment"));
    enrol
        .args(["agent", "enrol", "-", "--root", "gpc0", "--platform", "home-manager", "--remote"])
        .arg(world.at("config.git"));
    let of = program(&world.top, &[]);
    enrol.envs(of.get_envs().filter_map(|(name, value)| Some((name, value?)))).current_dir(&world.top);
    enrol.env_remove("XDG_CONFIG_HOME").env_remove("XDG_STATE_HOME");
    enrol.stdin(File::open(world.at("line")).unwrap()).process_group(0);
    let told = Told::of(ended(enrol)).all();
    // There is no home-manager here.
    assert!(
        told.contains("home-manager switch --flake .#mba") && told.contains("there is no program"),
        "{told}"
    );
    let folder = world.at("home/.config/compartment");
    assert_eq!(
        [mode(&folder), mode(&folder.join("agent.token")), mode(&folder.join("agent.toml"))],
        [0o700, 0o600, 0o600]
    );
    assert!(
        fs::read_to_string(folder.join("agent.toml"))
            .unwrap()
            .contains("/home/.local/state/compartment-agent\"")
    );
    assert_eq!(world.text("calls"), "");
    assert!(world.tokens().contains("mba"), "{}", world.tokens());
}
