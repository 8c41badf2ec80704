//! `compartment agent check`, before an agent is started.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a test that finds something else has failed")]

use std::fs;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use compartment::agent::check;
use compartment_local::run::Stop;
use compartment_runtime::write_private;
use compartment_transport_http::agent::Config;

use crate::world::World;

#[expect(dead_code, reason = "it can do more than is needed here")]
#[path = "../../compartment-console/tests/matrix/shared.rs"]
mod shared;
#[expect(dead_code, reason = "it can do more than is needed here")]
#[path = "../../compartment-console/tests/matrix/world.rs"]
mod world;

/// A folder with settings, a token, a repository to clone, and a system that runs.
struct Place {
    folder: tempfile::TempDir,
    hub: String,
    switch: String,
}

impl Place {
    fn new(hub: &str, token: &str) -> Self {
        let this =
            Self { folder: tempfile::tempdir().unwrap(), hub: hub.to_owned(), switch: "true".to_owned() };
        write_private(&this.at("token"), token).unwrap();
        fs::create_dir_all(this.at("root/run")).unwrap();
        fs::create_dir_all(this.at("root/nix/var/nix/profiles")).unwrap();
        let git = |args: &[&str]| {
            let git = Command::new("git").arg("-C").arg(this.folder.path()).args(args).output().unwrap();
            assert!(git.status.success(), "{git:?}");
        };
        git(&["init", "--quiet", "--initial-branch=main", "remote"]);
        let who = ["-c", "user.name=x", "-c", "user.email=x@example.org"];
        git(&[&["-C", "remote"][..], &who, &["commit", "--quiet", "--allow-empty", "-m", "first"]].concat());
        this
    }

    fn at(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn write(&self, name: &str, mode: u32) {
        fs::create_dir_all(self.at(name).parent().unwrap()).unwrap();
        fs::write(self.at(name), "#!/bin/sh\n").unwrap();
        fs::set_permissions(self.at(name), fs::Permissions::from_mode(mode)).unwrap();
    }

    fn clone_it(&self) {
        let mut clone = Command::new("git");
        clone.args(["clone", "--quiet"]).args([self.at("remote"), self.at("config")]);
        assert!(clone.status().unwrap().success());
    }

    /// How much is wrong, and what was said. Some words of the settings are others.
    fn checked(&self, others: &[(&str, &str)]) -> (u32, String) {
        let Self { hub, switch, .. } = self;
        let at = |name: &str| self.at(name).display().to_string();
        let mut settings = format!(
            "host = 'gpc0'\nstate = 'state'\ntests = 'tests'\n[hub]\nurl = '{hub}'\ntoken_file = 'token'\n\
             [checkout]\npath = 'config'\nremote = '{}'\n\
             [commands]\nswitch = [['{switch}']]\nrollback = [['true']]\n[places]\nroot = '{}'\n",
            at("remote"),
            at("root")
        );
        for (words, other) in others {
            assert!(settings.contains(words), "{words}: {settings}");
            settings = settings.replace(words, other);
        }
        fs::write(self.at("agent.toml"), settings).unwrap();
        let mut output = Vec::new();
        let config = Config::read(&self.at("agent.toml")).unwrap();
        let wrong = check(&config, &Stop::default(), &mut output).unwrap();
        (wrong, String::from_utf8(output).unwrap())
    }
}

fn checked(hub: &str, token: &str, switch: &str) -> (u32, String) {
    Place { switch: switch.to_owned(), ..Place::new(hub, token) }.checked(&[])
}

/// What keeps a pull, the state or the tests from working is found before anybody waits for them.
#[test]
fn places_that_cannot_serve_are_found() {
    let world = World::new();
    let place = Place::new(&format!("http://{}", world.address), world.token("gpc0"));
    let wrong_because = |others: &[(&str, &str)], words: &str| {
        let (wrong, told) = place.checked(others);
        assert_eq!(wrong, 1, "{told}");
        assert!(told.contains(words), "{words}: {told}");
    };
    let nothing_wrong = |words: &str| {
        let (wrong, told) = place.checked(&[]);
        assert_eq!(wrong, 0, "{told}");
        assert!(told.contains(words), "{words}: {told}");
    };
    // Before the first pull: there is a branch to clone, and a folder for the state.
    nothing_wrong("the first pull clones it");
    nothing_wrong("config/tests comes with the first pull");
    assert!(!place.at("state").exists(), "nothing is made");
    wrong_because(&[("/remote'", "/remote'\nbranch = 'live'")], "it has no branch `live`");
    wrong_because(&[("/remote'", "/elsewhere'")], "elsewhere: `git ls-remote` failed");
    wrong_because(&[("state = 'state'", "state = 'token/state'")], "token is no folder");
    // A clone, in which the tests are missing, then cannot be run, then are there.
    place.clone_it();
    wrong_because(&[], "there is no folder");
    wrong_because(&[("path = 'config'", "path = 'root'"), ("tests = 'tests'\n", "")], "cannot be read");
    fs::create_dir(place.at("config/tests")).unwrap();
    nothing_wrong("there are none in");
    place.write("config/tests/web", 0o644);
    wrong_because(&[], "not executable, and so no tests: web");
    place.write("config/tests/disk", 0o755);
    nothing_wrong("not executable, and so no tests: web");
    // What runs is a system that is not there.
    symlink("gone", place.at("root/nix/var/nix/profiles/system")).unwrap();
    wrong_because(&[], "system  cannot be read");
}

#[test]
fn what_would_keep_an_agent_from_its_work_is_found() {
    let world = World::new();
    let hub = format!("http://{}", world.address);
    let (wrong, told) = checked(&hub, world.token("gpc0"), "true");
    assert_eq!(wrong, 0, "{told}");
    assert!(told.contains("it answers (ok), lets this host speak, and what it streams arrives"), "{told}");
    for (hub, token, switch, words) in [
        (&*hub, world.token("gpc1"), "true", "does not let this host speak"),
        (&hub, &world.operator, "true", "does not let this host speak"),
        (&hub, world.token("gpc0"), "no-such-program", "there is no program `no-such-program`"),
        ("http://127.0.0.1:1", world.token("gpc0"), "true", "127.0.0.1:1"),
    ] {
        let (wrong, told) = checked(hub, token, switch);
        assert_eq!(wrong, 1, "{told}");
        assert!(told.contains(words) && told.contains("one thing is wrong"), "{told}");
    }
    // Nobody took that for a word of the host.
    assert!(
        world
            .hub
            .read(|fleet, _| fleet.host(&world::host("gpc0")).is_none_or(|gpc0| gpc0.last_heard().is_none()))
            .unwrap()
    );
}

/// nginx as it is shipped, but for what is said of its one location.
struct Nginx {
    address: SocketAddr,
    process: Child,
    _folder: tempfile::TempDir,
}

impl Nginx {
    fn start(to: SocketAddr, location: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let address = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let at = |name: &str| folder.path().join(name).display().to_string();
        let temporary = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
            .map(|kind| format!("{kind}_temp_path {};\n", at(kind)))
            .concat();
        let settings = format!(
            "pid {};\nerror_log stderr;\nevents {{}}\nhttp {{\naccess_log off;\n{temporary}server {{\nlisten {address};\n\
             location / {{\nproxy_pass http://{to};\n{location}\n}}\n}}\n}}\n",
            at("pid")
        );
        fs::write(folder.path().join("conf"), settings).unwrap();
        let mut nginx = Command::new("/usr/sbin/nginx");
        nginx.args(["-e", "stderr", "-p"]).arg(folder.path()).args(["-c", "conf", "-g", "daemon off;"]);
        let process = nginx.stderr(Stdio::null()).spawn().unwrap();
        let begun = Instant::now();
        while TcpStream::connect(address).is_err() {
            assert!(begun.elapsed() < Duration::from_secs(20), "nginx does not listen");
            std::thread::sleep(Duration::from_millis(20));
        }
        Self { address, process, _folder: folder }
    }
}

impl Drop for Nginx {
    fn drop(&mut self) {
        // Its workers end with it.
        let _asked = Command::new("kill").arg(self.process.id().to_string()).status();
        let _ended = self.process.wait();
    }
}

#[test]
fn a_proxy_that_holds_back_what_is_streamed_is_found() {
    let world = World::new();
    for (location, held) in
        [("", false), ("proxy_buffering off;", false), ("proxy_ignore_headers X-Accel-Buffering;", true)]
    {
        let nginx = Nginx::start(world.address, location);
        let (wrong, told) = checked(&format!("http://{}", nginx.address), world.token("gpc0"), "true");
        assert_eq!(wrong, u32::from(held), "{location}: {told}");
        let words =
            "orders would not arrive: the hub's answer cannot be understood: what it streams does not arrive";
        assert_eq!(told.contains(words), held, "{told}");
    }
}
