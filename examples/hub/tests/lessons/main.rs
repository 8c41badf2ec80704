//! Each lesson runs, with real servers on free ports of this machine, and what it prints is what `docs/EMBED.md` says. What is
//! brought along (a transport, a log, a forge) is held to the suite of its port.

#![expect(clippy::unwrap_used, reason = "a test that finds something else has failed")]

#[path = "../../beside_a_hub.rs"]
#[expect(dead_code, unreachable_pub, reason = "it is a program of its own")]
mod beside_a_hub;
#[path = "../../mount_axum.rs"]
#[expect(dead_code, unreachable_pub, reason = "it is a program of its own")]
mod mount_axum;
#[path = "../../operation_guard.rs"]
#[expect(dead_code, unreachable_pub, reason = "it is a program of its own")]
mod operation_guard;
#[path = "../../own_forge.rs"]
#[expect(dead_code, unreachable_pub, reason = "it is a program of its own")]
mod own_forge;
#[path = "../../own_log.rs"]
#[expect(dead_code, unreachable_pub, reason = "it is a program of its own")]
mod own_log;
#[path = "../../own_transport.rs"]
#[expect(dead_code, unreachable_pub, reason = "it is a program of its own")]
mod own_transport;
#[path = "../../tail_live.rs"]
#[expect(dead_code, unreachable_pub, reason = "it is a program of its own")]
mod tail_live;

mod brought;
mod served;

use std::fs;
use std::time::Duration;

use compartment_core::HostId;

use served::{Served, soon};

fn host(name: &str) -> HostId {
    HostId::new(name).unwrap()
}

fn text(bytes: Vec<u8>) -> String {
    String::from_utf8(bytes).unwrap()
}

#[tokio::test]
async fn the_pages_are_below_a_prefix() {
    let mut out = Vec::new();
    soon(mount_axum::run(&mut out)).await.unwrap();
    let shown = text(out);
    assert!(shown.contains("gpc0") && shown.contains("never heard"), "{shown}");
}

#[tokio::test]
async fn a_guard_reports_a_start_and_an_end_or_no_end() {
    let mut out = Vec::new();
    soon(operation_guard::run(&mut out)).await.unwrap();
    let shown = text(out);
    let lines: Vec<&str> = shown.lines().collect();
    let [passed, failed, given_up, unknown] = lines[..] else { panic!("{shown}") };
    assert_eq!((passed, given_up), ("web1: ok: 1 of 1 tests passed", "web3: deadline has elapsed"));
    assert!(failed.starts_with("web2: failed: ") && unknown.starts_with("web3: expired: "), "{shown}");
}

#[tokio::test]
async fn a_program_beside_a_hub_reports_asks_and_reads() {
    let hub = Served::start(&["gpc0"]).await;
    let mut out = Vec::new();
    let (speaker, operator) = (hub.connection("gpc0"), hub.connection("operator"));
    soon(beside_a_hub::run(&speaker, &operator, &host("gpc0"), &mut out)).await.unwrap();
    let shown = text(out);
    assert!(shown.starts_with("the pull of gpc0 is asked for\n"), "{shown}");
    // Another host's token is no good for it, and nothing panics.
    let refused = soon(beside_a_hub::run(&speaker, &operator, &host("gpc1"), &mut Vec::new())).await;
    assert!(refused.unwrap_err().to_string().contains("gpc0"));
    hub.end().await;
}

#[tokio::test]
async fn live_updates_come_as_lines() {
    let hub = Served::start(&["gpc0", "gpc1"]).await;
    let mut out = Vec::new();
    let tail = tail_live::tail(hub.connection("operator"), 4, &mut out);
    let change = async {
        for name in ["gpc0", "gpc1"] {
            tokio::time::sleep(Duration::from_millis(500)).await;
            hub.pulled(name, "abc1234").await;
        }
    };
    soon(async { tokio::join!(tail, change).0 }).await.unwrap();
    let shown = text(out);
    let of = |name: &str| shown.lines().filter(|line| line.starts_with(name)).count();
    assert_eq!((of("gpc0:"), of("gpc1:")), (2, 2), "{shown}");
    assert!(shown.lines().last().unwrap().contains("abc1234 (checkout)"), "{shown}");
    hub.end().await;
}

#[tokio::test]
async fn an_own_transport_carries_a_pull() {
    let mut out = Vec::new();
    soon(own_transport::run(&mut out)).await.unwrap();
    let shown = text(out);
    assert!(shown.starts_with("pull: ok\ngpc0: ") && shown.contains("abc1234"), "{shown}");
}

#[tokio::test]
async fn an_own_log_is_read_by_fold() {
    let folder = tempfile::tempdir().unwrap();
    for _ in 0..2 {
        let mut out = Vec::new();
        soon(own_log::run(folder.path(), &mut out)).await.unwrap();
        assert!(text(out).contains("gpc0"));
    }
    // What nobody acknowledged is gone, and what was acknowledged is there.
    let at = folder.path().join("log.ndjson");
    let whole = fs::read(&at).unwrap();
    fs::write(&at, [&whole, &b"{\"at\":\"2026-"[..]].concat()).unwrap();
    soon(own_log::run(folder.path(), &mut Vec::new())).await.unwrap();
    assert!(fs::read(&at).unwrap().starts_with(&whole));
}

#[tokio::test]
async fn an_own_forge_says_what_is_desired() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("desired");
    fs::write(&file, "abc1234 none\n").unwrap();
    let mut out = Vec::new();
    soon(own_forge::run(&file, &mut out)).await.unwrap();
    assert_eq!(text(out), "main: abc1234 is desired\n");
}
