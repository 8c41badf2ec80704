//! Orders: carried out once, in time, one at a time.

use std::fs::{self, File};
use std::time::{Duration, SystemTime};

use compartment_transport_http::wire::Code;
use serde_json::{Value, json};

use crate::world::{World, until};

#[tokio::test(flavor = "multi_thread")]
async fn an_order_is_carried_out_once_and_reported() {
    let world = World::new().await;
    let _agent = world.agent().await;
    let hub = &world.hub;
    let commit = world.commit("second");
    hub.order("o1", "pull", &Value::Null);
    let done = hub.event("pull-ok", "o1").await;
    assert_eq!((&done["commit"], &done["dirty"]), (&json!(commit), &json!(false)));
    hub.until("an acknowledgement", |told| (told.acknowledged == ["o1"]).then_some(())).await;
    // It comes again, and then something that shows that nothing came of it.
    hub.order("o1", "pull", &Value::Null);
    hub.order("o2", "switch", &json!({ "force": false }));
    let done = hub.event("switch-ok", "o2").await;
    assert_eq!(done["commit"], json!(commit));
    hub.until("acknowledgements", |told| (told.acknowledged == ["o1", "o1", "o2"]).then_some(())).await;
    assert_eq!(
        (hub.of("o1"), hub.of("o2")),
        (
            vec!["pull-started".into(), "pull-ok".into()],
            vec!["switch-started".to_owned(), "switch-ok".to_owned()]
        )
    );
    assert_eq!(world.ran("switch"), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_agents_own_clone_is_made_cheap_to_look_at() {
    let mut world = World::new().await;
    let remote = world.repository.path().to_owned();
    world.clone_from(&remote);
    let index = world.at("checkout/.git/index");
    // As old as its files, or older: git has to read all of them.
    let long_ago = SystemTime::now() - Duration::from_secs(3600);
    File::options().write(true).open(&index).unwrap().set_modified(long_ago).unwrap();
    let _agent = world.agent().await;
    let written = || fs::metadata(&index).unwrap().modified().unwrap();
    until("an index that is written once more", || written() > long_ago).await;
    // And what a pull writes is no different.
    let commit = world.commit("second");
    world.hub.order("o1", "pull", &Value::Null);
    assert_eq!(world.hub.event("pull-ok", "o1").await["commit"], json!(commit));
    world.operations_are(0).await;
    let seconds = |time: SystemTime| time.duration_since(SystemTime::UNIX_EPOCH).unwrap().as_secs();
    let file = fs::metadata(world.at("checkout/flake.lock")).unwrap().modified().unwrap();
    until("an index that is newer than its files", || seconds(written()) > seconds(file)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn all_tests_must_pass_and_none_is_no_failure() {
    let world = World::new().await;
    let _agent = world.agent().await;
    let hub = &world.hub;
    hub.order("none", "test", &Value::Null);
    assert_eq!(hub.event("test-pass", "none").await["total"], 0);
    world.script("tests/a-fails", "exit 1");
    world.script("tests/b-passes", "");
    hub.order("some", "test", &Value::Null);
    let failed = hub.event("test-fail", "some").await;
    assert_eq!(
        (&failed["passed"], &failed["total"], &failed["failed"]),
        (&json!(1), &json!(2), &json!(["a-fails"]))
    );
    assert_eq!((world.ran("tests/a-fails"), world.ran("tests/b-passes")), (1, 1));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_busy_host_refuses_and_a_stop_passes() {
    let world = World::new().await;
    world.script("switch", "trap '' TERM; touch begun; while :; do sleep 1; done");
    let _agent = world.agent().await;
    let hub = &world.hub;
    hub.order("long", "switch", &json!({ "force": true }));
    hub.event("switch-started", "long").await;
    world.file("begun").await;
    hub.heartbeat(|beat| beat["running"] == "switch").await;
    hub.order("second", "test", &Value::Null);
    let refused = hub.event("op-rejected", "second").await;
    assert_eq!(refused["kind"], "test");
    assert!(refused["reason"].as_str().unwrap().contains("a switch runs (long)"), "{refused}");
    // A stop of something else stops nothing, and is no event.
    hub.order("stop-other", "stop", &json!({ "target_op": "second" }));
    hub.order("stop", "stop", &json!({ "target_op": "long", "by": "ann" }));
    let stopped = hub.event("op-stopped", "long").await;
    assert_eq!(
        (&stopped["kind"], &stopped["by"], &stopped["activated"]),
        (&json!("switch"), &json!("ann"), &json!(false))
    );
    world.script("switch", "");
    hub.order("next", "switch", &json!({ "force": true }));
    hub.event("switch-ok", "next").await;
    assert!(hub.of("stop").is_empty() && hub.of("stop-other").is_empty());
    assert_eq!(hub.of("long"), ["switch-started", "op-stopped"]);
}

/// It was lost with the agent before, say: nobody is to wait for it, and it is not begun when it comes after all.
#[tokio::test(flavor = "multi_thread")]
async fn a_stop_of_what_never_came_is_refused_and_so_is_that() {
    let world = World::new().await;
    let _agent = world.agent().await;
    let hub = &world.hub;
    hub.order("stop", "stop", &json!({ "target_op": "lost", "by": "ann" }));
    let refused = hub.event("op-rejected", "stop").await;
    assert_eq!(refused["kind"], "stop");
    assert!(refused["reason"].as_str().unwrap().contains("lost was never begun here"), "{refused}");
    hub.order("lost", "switch", &json!({ "force": true }));
    hub.order("next", "pull", &Value::Null);
    hub.event("pull-ok", "next").await;
    assert_eq!(world.ran("switch"), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_late_order_is_refused() {
    let world = World::new().await;
    let _agent = world.agent().await;
    let hub = &world.hub;
    hub.order("late", "switch", &json!({ "force": true, "deliver_by": "2026-01-05T10:00:00Z" }));
    let refused = hub.event("op-rejected", "late").await;
    assert!(refused["reason"].as_str().unwrap().contains("too late"), "{refused}");
    assert_eq!(world.ran("switch"), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_hub_does_not_want_any_more_is_not_begun() {
    let world = World::new().await;
    let _agent = world.agent().await;
    let hub = &world.hub;
    hub.told().lapsed.push("old".to_owned());
    hub.order("old", "switch", &json!({ "force": true }));
    hub.event("op-rejected", "old").await;
    // A hub that cannot be asked is asked again.
    hub.told().says_of_orders = Some(Code::Unavailable);
    hub.order("new", "switch", &json!({ "force": true }));
    hub.until("the order is there", |told| told.acknowledged.contains(&"new".to_owned()).then_some(())).await;
    assert_eq!(world.ran("switch"), 0);
    hub.told().says_of_orders = None;
    hub.event("switch-ok", "new").await;
    assert_eq!((world.ran("switch"), hub.of("old").len()), (1, 1));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hub_that_is_older_than_its_agents_is_told_so() {
    let world = World::new().await;
    let _agent = world.agent().await;
    let hub = &world.hub;
    hub.told().says_of_orders = Some(Code::NotFound);
    hub.order("new", "switch", &json!({ "force": true }));
    let refused = hub.event("op-rejected", "new").await;
    assert!(refused.to_string().contains("older than the agent"), "{refused:?}");
    assert_eq!(world.ran("switch"), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_understood_is_refused_and_nothing_loops() {
    let world = World::new().await;
    let _agent = world.agent().await;
    let hub = &world.hub;
    hub.send(json!("no order at all"));
    hub.send(json!({ "op": "no kind" }));
    hub.order("new", "defragment", &json!({ "disk": 1 }));
    let refused = hub.event("op-rejected", "new").await;
    assert_eq!(refused["kind"], "defragment", "the hub knows what that is");
    assert!(refused["reason"].as_str().unwrap().contains("update it"), "{refused}");
    hub.order("merge", "merge-pr", &Value::Null);
    assert_eq!(hub.event("op-rejected", "merge").await["kind"], "merge-pr");
    hub.order("rollback", "rollback", &json!({ "to": { "number": 7, "path": null } }));
    let refused = hub.event("op-rejected", "rollback").await;
    assert!(refused["reason"].as_str().unwrap().contains("no command for a rollback"), "{refused}");
    hub.until("acknowledgements", |told| (told.acknowledged == ["new", "merge", "rollback"]).then_some(()))
        .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_endless_line_is_cut_off() {
    let world = World::new().await;
    world.hub.told().endless = Some("data: xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx");
    let _agent = world.agent().await;
    // It calls again, and takes orders.
    world.hub.connected(2).await;
    world.hub.order("o1", "pull", &Value::Null);
    world.hub.event("pull-ok", "o1").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn output_comes_before_the_result_and_a_flood_ends() {
    let world = World::new().await;
    // A hostile one: it forks, prints for ever in lines without end, and ignores who asks it to stop.
    // What is to be found is printed before the flood, which would be on the same line else.
    let flood = "trap '' TERM; echo first; printf '\\033[31mred\\n'; \
                 (while :; do head -c 100000 /dev/zero | tr '\\0' x; done) & sleep 1";
    world.script("tests/flood", flood);
    let _agent = world.agent().await;
    let hub = &world.hub;
    hub.order("o1", "test", &json!({ "test_limit_s": 20 }));
    hub.until("its first line", |told| told.printed.iter().any(|(_, line)| line == "first").then_some(()))
        .await;
    hub.event("test-pass", "o1").await;
    let told = hub.told();
    assert!(told.printed.iter().all(|(op, line)| op == "o1" && line.len() <= 4096));
    assert!(told.printed.iter().any(|(_, line)| line == "␛[31mred"));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_first_pull_clones() {
    first_pull(false).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_first_pull_clones_into_an_empty_folder() {
    first_pull(true).await;
}

async fn first_pull(there_and_empty: bool) {
    let mut world = World::new().await;
    fs::remove_dir_all(world.at("checkout")).unwrap();
    if there_and_empty {
        fs::create_dir(world.at("checkout")).unwrap();
    }
    let remote = world.repository.path().to_owned();
    world.clone_from(&remote);
    let _agent = world.agent().await;
    let beat = world.hub.heartbeat(|_| true).await;
    assert!(beat["commit"].is_null() && beat["system"].is_object(), "absent is no news: {beat}");
    world.hub.order("o1", "pull", &Value::Null);
    world.hub.event("pull-ok", "o1").await;
    world.hub.heartbeat(|beat| beat["commit"].is_string()).await;
    // From now on it is missing where it is not there.
    fs::remove_dir_all(world.at("checkout")).unwrap();
    world.hub.heartbeat(|beat| beat["commit"].is_array() && beat["lock_hash"].is_array()).await;
    // Somebody makes the folder, and leaves it empty.
    fs::create_dir(world.at("checkout")).unwrap();
    tokio::time::timeout(Duration::from_secs(60), async {
        world.hub.order("o2", "pull", &Value::Null);
        world.hub.event("pull-ok", "o2").await;
        world.hub.heartbeat(|beat| beat["commit"].is_string()).await;
    })
    .await
    .unwrap();
}
