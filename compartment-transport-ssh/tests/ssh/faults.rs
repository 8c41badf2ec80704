//! What breaks in the middle, and what comes of it.

use std::fs;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use async_trait::async_trait;
use compartment_core::event::{Heartbeat, Kind, Reading, RequestKind, Said};
use compartment_core::{Ask, OpId, Span, Timestamp};
use compartment_runtime::LogId;
use compartment_runtime::hub::SystemClock;
use compartment_runtime::{Clock, Transport};
use compartment_transport_ssh::{Inventory, Reach, Reason, Ssh, SshTransport};

use crate::connections::processes;
use crate::hub::{Hub, order, pull};
use crate::machine::{Machine, git, ssh, transport, until};
use crate::sshd::{Sshd, signal};

#[tokio::test]
async fn a_host_that_hangs_delays_nobody_and_comes_back() {
    let (well, ill) = (Sshd::start(), Sshd::start());
    let (gpc0, gpc1) = (Machine::new("gpc0"), Machine::new("ill"));
    let config = well.ssh_config(&ill.entry("ill"));
    let transport = transport(ssh(&config), [gpc0.host(), gpc1.host()]);
    let hub = Hub::new();
    transport.start(Arc::<Hub>::clone(&hub)).await;
    hub.awaits_another("ill").await;
    ill.hang(true);
    // From its last word on until it is said to be away, the other is heard all the time.
    let (mut last, mut longest) = (Instant::now(), Duration::ZERO);
    while !matches!(transport.reach(&gpc1.id()), Some(Reach::Unreachable(_))) {
        hub.awaits_another("gpc0").await;
        longest = longest.max(last.elapsed());
        last = Instant::now();
    }
    assert!(longest < Duration::from_secs(3), "{longest:?}");
    assert_eq!(transport.unreachable()[&gpc1.id()].reason, Reason::TimedOut);
    let told = transport.deliver(&order("late", pull(&gpc1.id()))).await.unwrap_err();
    assert!(told.reason.as_str().starts_with("timed out"), "{told}");
    ill.hang(false);
    hub.awaits_another("ill").await;
    until("it answers", || transport.reach(&gpc1.id()) == Some(Reach::Answers)).await;
    transport.stop().await;
}

#[tokio::test]
async fn where_git_hangs_all_else_is_told_and_no_process_piles_up() {
    let (sshd, machine) = (Sshd::start(), Machine::new("gpc0"));
    let (hub, transport) = (Hub::new(), transport(ssh(&sshd.ssh_config("")), [machine.host()]));
    let checkout = machine.path("checkout");
    // A filter that waits for somebody who types a passphrase.
    let pipe = machine.path("pipe");
    assert!(Command::new("mkfifo").arg(&pipe).status().unwrap().success());
    let filter = format!("cat {}", pipe.display());
    git(&checkout, &["config", "filter.secret.clean", &format!("exec {filter}")]);
    fs::write(checkout.join(".git/info/attributes"), "flake.lock filter=secret\n").unwrap();
    fs::write(checkout.join("flake.lock"), "[]").unwrap();
    transport.start(Arc::<Hub>::clone(&hub)).await;
    until("it is away", || !transport.unreachable().is_empty()).await;
    assert_eq!(transport.unreachable()[&machine.id()].reason, Reason::TimedOut);
    let all_else = |heartbeat: &Heartbeat| {
        // Which lock counts follows from which files differ.
        (heartbeat.dirty, heartbeat.lock_hash) == (Reading::Unreadable, Reading::Unreadable)
            && matches!(heartbeat.commit, Reading::Told(_))
    };
    hub.awaits_heartbeat("gpc0", all_else).await;
    hub.awaits_another("gpc0").await;
    hub.awaits_another("gpc0").await;
    // One from before anybody was wary; of the looks since then, at most the one that is under way.
    assert!(processes(&filter).len() <= 2, "{:?}", processes(&filter));
    fs::remove_file(checkout.join(".git/info/attributes")).unwrap();
    hub.awaits_heartbeat("gpc0", |heartbeat| heartbeat.dirty == Reading::Told(true)).await;
    // Whoever waits at the pipe is let go, and tries once more.
    let let_go = || drop(fs::OpenOptions::new().read(true).write(true).open(&pipe).unwrap());
    until("it ends", || {
        let_go();
        processes(&filter).is_empty()
    })
    .await;
    transport.stop().await;
}

#[tokio::test]
async fn an_operation_outlives_its_connection_and_its_result_comes_once() {
    let (mut sshd, machine) = (Sshd::start(), Machine::new("gpc0"));
    let commit = machine.commit("{\"new\": true}");
    let (hub, transport) = (Hub::new(), transport(ssh(&sshd.ssh_config("")), [machine.host()]));
    transport.start(Arc::<Hub>::clone(&hub)).await;
    machine.hang(true);
    transport.deliver(&order("o1", pull(&machine.id()))).await.unwrap();
    hub.awaits_heartbeat("gpc0", |heartbeat| heartbeat.running.is_none()).await;
    sshd.down();
    until("it is away", || !transport.unreachable().is_empty()).await;
    machine.hang(false);
    until("it goes on", || machine.path("state/local/ops/o1/ended").exists()).await;
    assert_eq!(hub.said("o1").len(), 1, "nobody knows yet");
    sshd.up();
    hub.awaits(|report| matches!(report.said, Said::PullOk { .. })).await;
    for _ in 0..3 {
        hub.awaits_another("gpc0").await;
    }
    let said = hub.said("o1");
    let [Said::Started { kind: Kind::Pull, timeout_s: Some(150), .. }, Said::PullOk { commit: at, .. }] =
        &said[..]
    else {
        panic!("{said:?}")
    };
    assert_eq!(at.to_string(), commit);
    assert_eq!(machine.carried_out(&OpId::new("o1").unwrap()), 1);
    assert_eq!(hub.printed("o1")[1..], ["pulling", "pulled"], "{}", hub.everything());
    until("the host keeps it no longer", || !machine.path("state/local/ops/o1").exists()).await;
    transport.stop().await;
}

#[tokio::test]
async fn a_hub_that_starts_again_finds_what_runs_and_what_has_ended() {
    let (sshd, machine) = (Sshd::start(), Machine::new("gpc0"));
    let config = sshd.ssh_config("");
    machine.hang(true);
    let (hub, first) = (Hub::new(), transport(ssh(&config), [machine.host()]));
    first.start(Arc::<Hub>::clone(&hub)).await;
    first.deliver(&order("o1", pull(&machine.id()))).await.unwrap();
    hub.awaits(|report| matches!(report.said, Said::Started { .. })).await;
    first.stop().await;
    let (hub, second) = (Hub::new(), transport(ssh(&config), [machine.host()]));
    second.start(Arc::<Hub>::clone(&hub)).await;
    hub.awaits(|report| matches!(report.said, Said::Started { kind: Kind::Pull, timeout_s: Some(150), .. }))
        .await;
    second.stop().await;
    machine.hang(false);
    until("it ends", || machine.path("state/local/ops/o1/ended").exists()).await;
    let (hub, third) = (Hub::new(), transport(ssh(&config), [machine.host()]));
    third.start(Arc::<Hub>::clone(&hub)).await;
    hub.awaits(|report| matches!(report.said, Said::PullOk { .. })).await;
    // Nobody else may have acknowledged it: the order is known even then.
    third.deliver(&order("o1", pull(&machine.id()))).await.unwrap();
    hub.awaits_another("gpc0").await;
    assert_eq!((hub.said("o1").len(), machine.carried_out(&OpId::new("o1").unwrap())), (1, 1));
    third.stop().await;
}

/// As a reboot does: all of an operation's processes end at once.
pub(crate) fn power_fails(machine: &Machine, op: &str) {
    let runner = machine.path(&format!("state/local/ops/{op}/run.sh"));
    let of = |process: &u32| {
        fs::read(format!("/proc/{process}/cmdline"))
            .is_ok_and(|line| String::from_utf8_lossy(&line).contains(runner.to_str().unwrap()))
    };
    let all =
        fs::read_dir("/proc").unwrap().filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok());
    for process in all.filter(of).collect::<Vec<u32>>() {
        signal("-KILL", process);
    }
}

#[tokio::test]
async fn what_was_killed_is_told_before_another_begins() {
    let (sshd, machine) = (Sshd::start(), Machine::new("gpc0"));
    let config = sshd.ssh_config("");
    let first = transport(ssh(&config), [machine.host()]);
    machine.hang(true);
    first.deliver(&order("o1", pull(&machine.id()))).await.unwrap();
    until("it runs", || machine.carried_out(&OpId::new("o1").unwrap()) == 1).await;
    first.stop().await;
    power_fails(&machine, "o1");
    machine.hang(false);
    let (hub, second) = (Hub::new(), transport(ssh(&config), [machine.host()]));
    second.deliver(&order("o2", pull(&machine.id()))).await.unwrap();
    second.start(Arc::<Hub>::clone(&hub)).await;
    hub.awaits(|report| matches!(report.said, Said::PullOk { .. })).await;
    assert!(matches!(hub.said("o1")[..], [Said::Started { timeout_s: None, .. }]), "{}", hub.everything());
    let told = hub.everything();
    assert!(told.find("\"o1\"") < told.find("\"o2\""), "{told}");
    second.stop().await;
}

#[tokio::test]
async fn of_what_was_killed_on_the_host_nothing_is_claimed() {
    let (sshd, machine) = (Sshd::start(), Machine::new("gpc0"));
    let (hub, transport) = (Hub::new(), transport(ssh(&sshd.ssh_config("")), [machine.host()]));
    transport.start(Arc::<Hub>::clone(&hub)).await;
    machine.hang(true);
    transport.deliver(&order("o1", pull(&machine.id()))).await.unwrap();
    hub.awaits_heartbeat("gpc0", |heartbeat| heartbeat.running.is_none()).await;
    power_fails(&machine, "o1");
    until("it is acknowledged", || !machine.path("state/local/ops/o1").exists()).await;
    hub.awaits_another("gpc0").await;
    let said = hub.said("o1");
    assert!(matches!(said[..], [Said::Started { .. }]), "{said:?}");
    machine.hang(false);
    transport.stop().await;
}

#[tokio::test]
async fn who_stopped_it_is_told_and_a_rollback_to_nowhere_is_refused() {
    let (sshd, machine) = (Sshd::start(), Machine::new("gpc0"));
    let (hub, transport) = (Hub::new(), transport(ssh(&sshd.ssh_config("")), [machine.host()]));
    transport.start(Arc::<Hub>::clone(&hub)).await;
    machine.hang(true);
    transport.deliver(&order("o1", pull(&machine.id()))).await.unwrap();
    let target_op = OpId::new("o1").unwrap();
    transport.deliver(&order("stop", Ask::Stop { host: machine.id(), target_op })).await.unwrap();
    let stopped = |said: &Said| matches!(said, Said::OpStopped { by: Some(by), .. } if by.as_str() == "mba");
    hub.awaits(|report| stopped(&report.said)).await;
    machine.hang(false);
    let profiles = machine.path("root/nix/var/nix/profiles");
    fs::create_dir_all(&profiles).unwrap();
    fs::create_dir_all(machine.path("root/nix/store/a")).unwrap();
    std::os::unix::fs::symlink("/nix/store/a", profiles.join("system-7-link")).unwrap();
    std::os::unix::fs::symlink("system-7-link", profiles.join("system")).unwrap();
    let to = generation(6);
    let back = Ask::Rollback { host: machine.id(), to: Some(to) };
    transport.deliver(&order("back", back)).await.unwrap();
    let words = "generation 6 is not on the host";
    let refused =
        |said: &Said| matches!(said, Said::OpRejected { reason, .. } if reason.as_str().contains(words));
    hub.awaits(|report| refused(&report.said)).await;
    transport.stop().await;
}

/// Its order went out and no answer came, or it is still on its way.
#[tokio::test]
async fn a_stop_of_what_never_came_takes_it_back() {
    let (sshd, machine) = (Sshd::start(), Machine::new("gpc0"));
    let (hub, transport) = (Hub::new(), transport(ssh(&sshd.ssh_config("")), [machine.host()]));
    transport.start(Arc::<Hub>::clone(&hub)).await;
    let target_op = OpId::new("o1").unwrap();
    transport.deliver(&order("stop", Ask::Stop { host: machine.id(), target_op })).await.unwrap();
    let taken_back = |said: &Said| matches!(said, Said::OpRejected { kind: RequestKind::Stop, reason } if reason.as_str().starts_with("o1 was never begun"));
    hub.awaits(|report| taken_back(&report.said)).await;
    transport.deliver(&order("o1", pull(&machine.id()))).await.unwrap();
    hub.awaits_another("gpc0").await;
    assert_eq!((hub.said("o1").len(), machine.carried_out(&OpId::new("o1").unwrap())), (0, 0));
    transport.stop().await;
}

fn generation(number: u32) -> compartment_core::event::Target {
    compartment_core::event::Target { number: std::num::NonZeroU32::new(number), path: None }
}

#[tokio::test]
async fn a_login_that_talks_and_leaves_something_running_is_in_nobodys_way() {
    let machine = Machine::new("gpc0");
    let lasting = machine.path("lasting");
    std::os::unix::fs::symlink("/bin/sleep", &lasting).unwrap();
    let login = format!(
        "ForceCommand printf '\\033]0;title\\007 welcome'; {} 300 & eval \"$SSH_ORIGINAL_COMMAND\"",
        lasting.display()
    );
    let sshd = Sshd::with(&login);
    for share in [true, false] {
        let id = format!("o-{share}");
        let ssh = Ssh { share, ..ssh(&sshd.ssh_config("")) };
        let (hub, transport) = (Hub::new(), transport(ssh, [machine.host()]));
        transport.start(Arc::<Hub>::clone(&hub)).await;
        hub.awaits_another("gpc0").await;
        transport.deliver(&order(&id, pull(&machine.id()))).await.unwrap();
        hub.awaits(|report| matches!(report.said, Said::PullOk { .. })).await;
        assert_eq!(transport.reach(&machine.id()), Some(Reach::Answers));
        transport.stop().await;
    }
    for line in processes(lasting.to_str().unwrap()) {
        assert!(line.ends_with(" 300 "), "{line}");
    }
    assert!(Command::new("pkill").arg("-f").arg(&lasting).status().unwrap().success());
}

/// A clock that jumps: an hour passes between the first time that somebody looks at it and the second.
#[derive(Default)]
struct Jumping(SystemClock, AtomicBool);

#[async_trait]
impl Clock for Jumping {
    fn wall(&self) -> Timestamp {
        let late = self.1.swap(true, Ordering::Relaxed);
        self.0.wall() + Span::from_mins(if late { 60 } else { 0 })
    }

    fn elapsed(&self) -> Span {
        self.0.elapsed()
    }

    async fn sleep(&self, span: Span) {
        self.0.sleep(span).await;
    }
}

#[tokio::test]
async fn an_order_that_grows_too_old_on_its_way_is_not_carried_out() {
    let (sshd, machine) = (Sshd::start(), Machine::new("gpc0"));
    let inventory = Inventory::new(ssh(&sshd.ssh_config("")), vec![machine.host()]).unwrap();
    let transport = SshTransport::new(&inventory, Arc::new(Jumping::default()), &LogId::random()).unwrap();
    let hub = Hub::new();
    transport.start(Arc::<Hub>::clone(&hub)).await;
    hub.awaits_another("gpc0").await;
    transport.deliver(&order("o1", pull(&machine.id()))).await.unwrap();
    let late = |said: &Said| matches!(said, Said::OpRejected { reason, .. } if reason.as_str() == "it came too late");
    hub.awaits(|report| late(&report.said)).await;
    hub.awaits_another("gpc0").await;
    assert_eq!(hub.said("o1").len(), 1);
    assert_eq!(machine.carried_out(&OpId::new("o1").unwrap()), 0);
    assert!(!machine.path("state/local/ops/o1").exists());
    transport.stop().await;
}
