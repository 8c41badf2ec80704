//! Heartbeats, and what the hub does with reports.

use std::fs;
use std::process::Command;

use compartment_runtime::write_private;
use serde_json::{Value, json};

use crate::world::World;

#[tokio::test(flavor = "multi_thread")]
async fn a_change_shows_in_the_next_heartbeat() {
    let world = World::new().await;
    let _agent = world.agent().await;
    let hub = &world.hub;
    let first = hub.heartbeat(|_| true).await;
    assert_eq!((&first["dirty"], &first["running"]), (&json!(false), &Value::Null));
    assert!(first.as_object().unwrap().contains_key("running"), "nothing runs, and that is said");
    assert!(first["system"]["path"].as_str().unwrap().ends_with("/nix/store/one"), "{first}");
    fs::write(world.at("checkout/flake.lock"), "by hand").unwrap();
    let dirty = hub.heartbeat(|beat| beat["dirty"] == json!(true)).await;
    assert_ne!(dirty["lock_hash"], first["lock_hash"]);
    assert_eq!(dirty["commit"], first["commit"]);
    fs::rename(world.at("checkout/.git"), world.at("checkout/git")).unwrap();
    hub.heartbeat(|beat| beat["commit"].is_array() && beat["dirty"].is_array()).await;
    fs::rename(world.at("checkout/git"), world.at("checkout/.git")).unwrap();
    hub.heartbeat(|beat| beat["commit"].is_string()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refresh_is_a_heartbeat_now() {
    let mut world = World::new().await;
    world.heartbeat_s = 60;
    let agent = world.agent().await;
    let hub = &world.hub;
    hub.until("the first heartbeat", |told| (!told.events.is_empty()).then_some(())).await;
    // The next one would come in a minute.
    let commit = world.commit("second");
    hub.order("o1", "refresh", &Value::Null);
    hub.heartbeat(|_| true).await;
    hub.order("o2", "pull", &Value::Null);
    hub.event("pull-ok", "o2").await;
    hub.heartbeat(|beat| beat["commit"] == json!(commit) && beat["running"].is_null()).await;
    agent.kill();
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_hub_does_not_take_blocks_nothing() {
    let world = World::new().await;
    let _agent = world.agent().await;
    let hub = &world.hub;
    hub.told().unknown_type = Some("pull-started");
    hub.order("o1", "pull", &Value::Null);
    hub.event("pull-ok", "o1").await;
    hub.told().unknown_type = None;
    hub.order("o2", "pull", &Value::Null);
    hub.event("pull-ok", "o2").await;
    assert_eq!(hub.of("o1"), ["pull-ok"]);
    assert_eq!(hub.of("o2"), ["pull-started", "pull-ok"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_batch_that_is_too_large_is_halved_and_a_line_dropped() {
    let world = World::new().await;
    let agent = world.agent().await;
    let hub = &world.hub;
    hub.told().refuse = Some((compartment_transport_http::wire::Code::Unavailable, None));
    for n in 0..10 {
        hub.order(&format!("r{n}"), "rollback", &json!({ "to": { "number": 1, "path": null } }));
    }
    hub.until("acknowledgements", |told| (told.acknowledged.len() == 10).then_some(())).await;
    agent.kill();
    {
        let mut told = hub.told();
        // Room for two refusals, not for ten.
        told.largest = Some(700);
        told.refuse = None;
    }
    let agent = world.agent().await;
    hub.event("op-rejected", "r9").await;
    for n in 0..10 {
        assert_eq!(hub.of(&format!("r{n}")), ["op-rejected"]);
    }
    agent.kill();
    // Of what is too large by itself nobody ever hears, and of what comes after it somebody does.
    hub.told().largest = Some(10);
    let _agent = world.agent().await;
    hub.order("lost", "rollback", &Value::Null);
    hub.until("its acknowledgement", |told| told.acknowledged.contains(&"lost".to_owned()).then_some(()))
        .await;
    let batches = hub.told().batches;
    hub.until("more batches", |told| (told.batches > batches + 2).then_some(())).await;
    hub.told().largest = None;
    hub.order("heard", "rollback", &Value::Null);
    hub.event("op-rejected", "heard").await;
    assert!(hub.of("lost").is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_is_replaced_while_the_agent_runs() {
    let world = World::new().await;
    world.hub.told().token = Some("secret");
    let _agent = world.agent().await;
    let hub = &world.hub;
    hub.heartbeat(|_| true).await;
    hub.told().token = Some("next");
    write_private(&world.at("token"), "next").unwrap();
    // One attempt is refused, the next one, after a while, is not.
    hub.heartbeat(|_| true).await;
}

/// No file of the agent can grow: like a disk that is full.
#[tokio::test(flavor = "multi_thread")]
async fn a_full_disk_begins_nothing_and_loses_nothing() {
    let world = World::new().await;
    let mut shell = Command::new("sh");
    shell.args(["-c", "trap '' XFSZ; exec \"$0\" \"$@\""]).arg(std::env::current_exe().unwrap());
    let mut agent = world.spawn(shell);
    let hub = &world.hub;
    hub.connected(1).await;
    hub.order("o1", "pull", &Value::Null);
    hub.event("pull-ok", "o1").await;
    let limit = |size: &str| {
        let mut command = Command::new("prlimit");
        command.args(["--pid", &agent.pid().to_string(), &format!("--fsize={size}:unlimited")]);
        assert!(command.status().unwrap().success());
    };
    limit("1");
    hub.order("o2", "switch", &json!({ "force": true }));
    let refused = hub.event("op-rejected", "o2").await;
    assert!(refused["reason"].as_str().unwrap().contains("spool.sqlite"), "{refused}");
    assert_eq!(world.ran("switch"), 0);
    hub.heartbeat(|beat| beat["running"].is_null()).await;
    hub.order("o2", "switch", &json!({ "force": true }));
    limit("unlimited");
    hub.order("o3", "switch", &json!({ "force": true }));
    hub.event("switch-ok", "o3").await;
    assert_eq!((hub.of("o2"), world.ran("switch")), (vec!["op-rejected".to_owned()], 1));
    agent.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn one_agent_a_folder() {
    let world = World::new().await;
    let _agent = world.agent().await;
    let mut second = world.spawn(Command::new(std::env::current_exe().unwrap()));
    assert_eq!(second.ended().await, Some(3));
    let log = fs::read_to_string(world.at("agent.log")).unwrap();
    assert!(log.contains("another agent runs with the state in"), "{log}");
}
