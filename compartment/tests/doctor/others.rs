//! Agents and hosts over ssh, whose checks have commands of their own; and how people are told.

use std::fs;
use std::io::{BufRead, BufReader};
use std::process::Stdio;

use crate::sshd::Sshd;
use crate::support::{Desk, Found, chmod};

/// Settings of an agent, with what is otherwise.
fn agent(desk: &Desk, hub: &str, otherwise: &[(&str, &str)]) -> Found {
    let mut text = format!(
        "host = 'gpc0'\nstate = 'state'\n[hub]\nurl = '{hub}'\ntoken_file = 'token'\n\
         [checkout]\npath = 'checkout'\nremote = '{}'\n[commands]\nswitch = [['true']]\nrollback = [['true']]\n\
         [places]\nroot = 'nowhere'\n",
        desk.at("config").display()
    );
    for (words, other) in otherwise {
        assert!(text.contains(words));
        text = text.replace(words, other);
    }
    fs::write(desk.at("agent.toml"), text).unwrap();
    Found::of(desk.program(&["doctor", "agent", "--config", "agent.toml", "--root", "root"]))
}

#[test]
fn an_agent_is_told_what_its_check_finds() {
    let desk = Desk::new();
    desk.repository();
    fs::write(desk.at("token"), desk.token(&["--host", "gpc0"])).unwrap();
    chmod(&desk.at("token"), 0o600);
    let mut serve = desk.program(&["hub", "--data", "data", "--listen", "127.0.0.1:0"]);
    let mut hub = serve.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
    let said = BufReader::new(hub.stdout.take().unwrap()).lines().next().unwrap().unwrap();
    let url = said.split([' ', ',']).find(|word| word.starts_with("http://")).unwrap().to_owned();
    let well = agent(&desk, &url, &[]);
    for check in
        ["settings", "host", "hub", "state", "checkout", "pull", "switch", "rollback", "test", "sees", "git"]
    {
        well.is_well(check);
    }
    well.says_nothing_of("service");
    assert!(!desk.at("state").exists(), "nothing is made");
    let no_switch = agent(&desk, &url, &[("switch = [['true']]\n", "")]);
    no_switch.has("switch", "warning", "this host has no command for a switch");
    agent(&desk, &url, &[("'gpc0'", "'gpc1'")]).has("hub", "error", "does not let this host speak");
    agent(&desk, &url, &[("state = 'state'", "state = 'token/state'")]).has(
        "state",
        "error",
        "token is no folder",
    );
    agent(&desk, &url, &[("path = 'checkout'", "path = 'checkout'\nbranch = 'live'")]).has(
        "checkout",
        "error",
        "it has no branch `live`",
    );
    agent(&desk, &url, &[("switch = [['true']]", "switch = [['no-such-program']]")]).has(
        "switch",
        "error",
        "there is no program `no-such-program`",
    );
    agent(&desk, &url, &[("path = 'checkout'", "path = 'data'")]).has("sees", "error", "the commit");
    agent(&desk, &url, &[("[places]", "[palces]")]).has("settings", "error", "unknown field `palces`");
    hub.kill().unwrap();
    hub.wait().unwrap();
    agent(&desk, &url, &[]).has("hub", "error", "the hub cannot be reached");
}

#[test]
fn hosts_over_ssh_are_told_what_their_check_finds() {
    let (desk, sshd) = (Desk::new(), Sshd::start());
    sshd.ssh_config("Host away\n  HostName 127.0.0.1\n  Port 9");
    let config = sshd.path("ssh_config").display().to_string();
    let hosts = "[[hosts]]\nname = 'gpc0'\n[[hosts]]\nname = 'away'\n";
    let commands = "commands = { switch = [['no-such-program']] }";
    fs::write(
        desk.at("hosts.toml"),
        format!("[ssh]\nconfig_file = '{config}'\n[defaults]\n{commands}\n{hosts}"),
    )
    .unwrap();
    let args = ["doctor", "ssh", "--inventory", "hosts.toml"];
    let found = Found::of(desk.program(&args));
    found.is_well("ssh");
    found.has("connection", "error", "");
    // With one host alone, and for people.
    let one = desk.program(&["doctor", "ssh", "--inventory", "hosts.toml", "gpc0"]).output().unwrap();
    let said = String::from_utf8(one.stdout).unwrap();
    assert!(said.contains("gpc0\n  ✓ ") && !said.contains("away"), "{said}");
    let mistaken = Found::of(desk.program(&["doctor", "ssh", "--inventory", "agent.toml"]));
    mistaken.has("inventory", "error", "agent.toml");
    let unknown = desk.program(&["doctor", "ssh", "--inventory", "hosts.toml", "gpc9"]).output().unwrap();
    assert_eq!(unknown.status.code(), Some(1));
    assert!(String::from_utf8(unknown.stderr).unwrap().contains("gpc9 is not in the inventory"));
}

#[test]
fn people_are_told_what_is_so_and_what_to_do() {
    let desk = Desk::new();
    desk.token(&["--reader", "wall"]);
    let mut doctor = desk.doctor(&["--listen", "0.0.0.0:0"]);
    let told = doctor.env("COLUMNS", "80").output().unwrap();
    assert_eq!(told.status.code(), Some(1));
    let said = String::from_utf8(told.stdout).unwrap();
    for line in [
        "✓ data: ",
        "! tokens: nobody may ask",
        "  Do: compartment hub token add --data data",
        "✗ plain HTTP: ",
    ] {
        assert!(said.lines().any(|said| said.starts_with(line)), "{line}: {said}");
    }
    let last = said.lines().last().unwrap();
    assert!(
        last.starts_with("one thing is wrong, ") && last.ends_with("things are to be looked at"),
        "{last}"
    );
    assert!(said.lines().all(|line| line.chars().count() <= 80), "{said}");
}
