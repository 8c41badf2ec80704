//! `compartment agent enrol`: a line from a real hub, pasted on a host, until the hub hears a real agent.

#![expect(clippy::unwrap_used, reason = "a test that finds something else has failed")]

mod lossy;
mod world;

use std::fs::{self, File};
use std::os::unix::process::CommandExt;
use std::process::Command;

use compartment_runtime::Clock;
use compartment_runtime::hub::SystemClock;
use compartment_transport_http::server::access::TokenFile;

use crate::lossy::lossy;
use crate::world::{PROGRAM, STARTS, Told, World, ended, is_root, mode, program};

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
