//! `agent check`, before an agent is started.

use std::fs;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use compartment_examples::agent::check;
use compartment_local::run::Stop;
use compartment_runtime::write_private;
use compartment_transport_http::agent::Config;

use super::world::World;

/// What is wrong with these settings, and what was said.
fn checked(hub: &str, token: &str, switch: &str) -> (u32, String) {
    let folder = tempfile::tempdir().unwrap();
    write_private(&folder.path().join("token"), token).unwrap();
    let settings = format!(
        "host = 'gpc0'\nstate = 'state'\n[hub]\nurl = '{hub}'\ntoken_file = 'token'\n\
         [checkout]\npath = 'config'\nremote = 'https://git.example/x.git'\n\
         [commands]\nswitch = [['{switch}']]\nrollback = [['true']]\n"
    );
    let file = folder.path().join("agent.toml");
    fs::write(&file, settings).unwrap();
    let mut output = Vec::new();
    let wrong = check(&Config::read(&file).unwrap(), &Stop::default(), &mut output).unwrap();
    (wrong, String::from_utf8(output).unwrap())
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
            .read(|fleet, _| fleet
                .host(&super::world::host("gpc0"))
                .is_none_or(|gpc0| gpc0.last_heard().is_none()))
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
