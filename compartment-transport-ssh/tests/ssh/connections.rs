//! How connections are made, used, shared, and kept few.

use std::cell::Cell;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::sync::Arc;
use std::time::Duration;

use compartment_runtime::Transport;
use compartment_transport_ssh::{Destination, Host, Pace, Ssh};

use crate::hub::{Hub, order, pull};
use crate::machine::{Machine, ssh, transport, until};
use crate::sshd::Sshd;

#[tokio::test]
async fn a_look_is_one_run_over_one_connection() {
    let (sshd, machine) = (Sshd::start(), Machine::new("gpc0"));
    let (hub, transport) = (Hub::new(), transport(ssh(&sshd.ssh_config("")), [machine.host()]));
    transport.start(Arc::<Hub>::clone(&hub)).await;
    until("ten looks", || hub.heartbeats("gpc0") >= 10).await;
    transport.stop().await;
    // One may have been under way.
    let (looks, runs) = (hub.heartbeats("gpc0"), sshd.runs());
    assert!((looks..=looks + 1).contains(&runs), "{looks} looks took {runs} runs");
    assert_eq!(sshd.connections(), 1);
}

#[tokio::test]
async fn unless_sharing_is_off() {
    let (sshd, machine) = (Sshd::start(), Machine::new("gpc0"));
    // Whatever the user's configuration says of sharing.
    let config = sshd.ssh_config(&format!(
        "Host *\n  ControlMaster auto\n  ControlPath {}/%C\n  ControlPersist 60",
        sshd.path("").display()
    ));
    let ssh = Ssh { share: false, ..ssh(&config) };
    let (hub, transport) = (Hub::new(), transport(ssh, [machine.host()]));
    transport.start(Arc::<Hub>::clone(&hub)).await;
    until("five looks", || hub.heartbeats("gpc0") >= 5).await;
    transport.stop().await;
    assert!(sshd.connections() >= 5 && sshd.connections() == sshd.runs(), "{}", sshd.log());
}

#[tokio::test]
async fn what_the_users_configuration_has_for_people_is_not_in_the_way() {
    let (sshd, machine) = (Sshd::start(), Machine::new("gpc0"));
    let config = sshd.ssh_config(&format!(
        "Host *\n  RemoteCommand tmux\n  RequestTTY force\n  LogLevel QUIET\n  ForwardAgent yes\n  LocalForward {} \
         127.0.0.1:22\n  ExitOnForwardFailure yes",
        sshd.port
    ));
    for share in [true, false] {
        let transport = transport(Ssh { share, ..ssh(&config) }, [machine.host()]);
        transport.check(&machine.id()).await.unwrap();
        transport.hang_up().await;
    }
}

#[tokio::test]
async fn a_connection_that_died_is_made_again_at_once() {
    let (sshd, machine) = (Sshd::start(), Machine::new("gpc0"));
    let (hub, transport) = (Hub::new(), transport(ssh(&sshd.ssh_config("")), [machine.host()]));
    transport.start(Arc::<Hub>::clone(&hub)).await;
    for round in 1..=3 {
        hub.awaits_another("gpc0").await;
        sshd.cut();
        until("another connection", || sshd.connections() > round).await;
    }
    hub.awaits_another("gpc0").await;
    assert!(transport.unreachable().is_empty());
    transport.stop().await;
}

#[tokio::test]
async fn more_hosts_than_sshd_has_room_for_all_come_in() {
    // It turns away whoever is more than two, by chance from one on.
    let (sshd, machine) = (Sshd::with("MaxStartups 1:50:3"), Machine::new("gpc0"));
    let hosts = (0..12).map(|n| {
        let id = compartment_core::HostId::new(&format!("gpc{n}")).unwrap();
        let destination = Destination::new(id.as_str()).unwrap();
        let pace = Pace { idle: Duration::from_secs(60), ..Pace::default() };
        Host { id, destination, pace, ..machine.host() }
    });
    let (hub, transport) = (Hub::new(), transport(ssh(&sshd.ssh_config("")), hosts));
    transport.start(Arc::<Hub>::clone(&hub)).await;
    until("all are heard", || (0..12).all(|n| hub.heartbeats(&format!("gpc{n}")) > 0)).await;
    transport.stop().await;
}

/// What runs now that has this in its arguments.
pub(crate) fn processes(with: &str) -> Vec<String> {
    let read = |entry: fs::DirEntry| fs::read(entry.path().join("cmdline")).ok();
    let all = fs::read_dir("/proc").unwrap().filter_map(|entry| read(entry.ok()?));
    all.map(|line| String::from_utf8_lossy(&line).replace('\0', " "))
        .filter(|line| line.contains(with))
        .collect()
}

/// The process groups of the ssh that this process has started: their processes, and which they belong to.
fn groups_of_ssh() -> Vec<(u32, u32)> {
    let us = std::process::id().to_string();
    let group = |entry: fs::DirEntry| {
        let process: u32 = entry.file_name().to_str()?.parse().ok()?;
        let stat = fs::read_to_string(entry.path().join("stat")).ok()?;
        let (name, rest) = stat.rsplit_once(") ")?;
        // State, parent, group.
        let fields: Vec<&str> = rest.split(' ').collect();
        (name.ends_with("(ssh") && fields[1] == us).then(|| (process, fields[2].parse().unwrap()))
    };
    fs::read_dir("/proc").unwrap().filter_map(|entry| group(entry.ok()?)).collect()
}

/// A Ctrl-C goes to the whole group of whoever sits there: an answer that is under way is not to be lost by it.
#[tokio::test]
async fn what_is_typed_at_the_terminal_ends_no_ssh() {
    let (sshd, machine) = (Sshd::start(), Machine::new("gpc0"));
    let ssh = Ssh { share: false, ..ssh(&sshd.ssh_config("")) };
    let (hub, transport) = (Hub::new(), transport(ssh, [machine.host()]));
    transport.start(Arc::<Hub>::clone(&hub)).await;
    let seen = Cell::new(0);
    let apart = || {
        let groups = groups_of_ssh();
        // Between its start and its program a process has the name of this one.
        assert!(groups.iter().all(|(process, group)| process == group), "{groups:?}");
        seen.set(seen.get() + groups.len());
        seen.get() > 3
    };
    until("ssh runs", apart).await;
    transport.stop().await;
}

#[tokio::test]
async fn nothing_is_left_behind_and_no_argument_tells_what_is_done() {
    let (sshd, machine) = (Sshd::start(), Machine::new("gpc0"));
    let config = sshd.ssh_config("");
    let (hub, transport) = (Hub::new(), transport(ssh(&config), [machine.host()]));
    machine.hang(true);
    transport.start(Arc::<Hub>::clone(&hub)).await;
    transport.deliver(&order("o1", pull(&machine.id()))).await.unwrap();
    let masters = processes(config.to_str().unwrap());
    let [master] = &masters[..] else { panic!("one connection: {masters:?}") };
    // The script goes by standard input.
    let state = machine.path("state");
    let told = processes("ssh ")
        .into_iter()
        .find(|line| line.contains("exec /bin/sh") && line.contains(state.to_str().unwrap()));
    assert_eq!(told, None);
    let socket = master.split(" -S ").nth(1).unwrap().split(' ').next().unwrap().to_owned();
    let folder = std::path::Path::new(&socket).parent().unwrap();
    for place in [folder, folder.parent().unwrap()] {
        assert_eq!(fs::metadata(place).unwrap().permissions().mode() & 0o777, 0o700, "{}", place.display());
    }
    machine.hang(false);
    transport.stop().await;
    until("the connection ends", || processes(config.to_str().unwrap()).is_empty()).await;
    assert!(!folder.exists());
    drop(transport);
    assert!(!folder.parent().unwrap().exists());
}
