//! What readers and operators are told.

use compartment_core::{AuditEntry, Matrix, ReadOptions, Row};
use compartment_transport_http::wire::requests::Answers;
use compartment_transport_http::wire::{Code, Problem};
use serde_json::{Value, json};

use super::world::{World, events, next, soon};

const GREEN: &str = r#"{"host":"gpc0","type":"heartbeat","commit":"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa","dirty":false,"system":{"path":"/nix/store/a","number":1}}"#;

#[tokio::test]
async fn the_matrix_is_the_hubs() {
    let world = World::new().await;
    assert_eq!(world.says("gpc0", GREEN).await.status(), 200);
    let mut told: Matrix = soon(world.get("/v1/matrix").send()).await.unwrap().json().await.unwrap();
    let mut real = world.hub.matrix(&ReadOptions::default()).unwrap();
    (told.as_of, real.as_of) = (world.hub.now(), told.as_of);
    real.as_of = told.as_of;
    assert_eq!(told, real);
    let row: Row = soon(world.get("/v1/hosts/gpc0").send()).await.unwrap().json().await.unwrap();
    assert_eq!(row, real.hosts[0]);
    // As of a position: before the host was heard.
    let past: Matrix = soon(world.get("/v1/matrix?at=2").send()).await.unwrap().json().await.unwrap();
    assert_eq!((past.hosts.len(), past.hosts[0].last_seen), (1, None));
    let history: Value =
        soon(world.get("/v1/hosts/gpc0/history").send()).await.unwrap().json().await.unwrap();
    assert_eq!(history["generations"].as_array().map(Vec::len), Some(1), "{history}");
    let explained = soon(world.get("/v1/hosts/gpc0/explain/git").send()).await.unwrap();
    let explained: Value = explained.json().await.unwrap();
    assert_eq!((&explained["rule"], &explained["status"]), (&json!("G6"), &json!("ok")));
}

#[tokio::test]
async fn what_is_not_there_is_told() {
    let world = World::new().await;
    for (path, code) in [
        ("/v1/hosts/nobody", Code::NotFound),
        ("/v1/hosts/gpc0/explain/nose", Code::BadRequest),
        ("/v1/hosts/-/history", Code::BadRequest),
        ("/v1/matrix?at=yesterday", Code::BadRequest),
        ("/v1/matrix?at=999", Code::BadRequest),
        ("/v1/hosts/gpc0/rollback", Code::NotFound),
        ("/v1/hosts/gpc0/operations/none/output", Code::NotFound),
        ("/v1/nothing", Code::NotFound),
        ("/v1/requests", Code::MethodNotAllowed),
    ] {
        let answer = soon(world.get(path).send()).await.unwrap();
        assert_eq!(answer.status(), code.status(), "{path}");
        assert_eq!(answer.headers()["content-type"], "application/problem+json", "{path}");
        let problem: Problem = answer.json().await.unwrap();
        assert_eq!(problem.code(), Some(code), "{path}: {problem:?}");
    }
}

#[tokio::test]
async fn each_host_has_an_answer() {
    let world = World::new().await;
    world.says("gpc0", GREEN).await;
    let ask = async |body: Value| {
        let answer = soon(world.post("/v1/requests").json(&body).send()).await.unwrap();
        let status = answer.status().as_u16();
        (status, answer.json::<Answers>().await.unwrap().operations)
    };
    let (status, operations) = ask(json!({"kind": "switch", "all": true})).await;
    assert_eq!(status, 202);
    let refused: Vec<_> = operations
        .iter()
        .map(|answer| {
            (answer.host.as_ref().unwrap().as_str(), answer.refused.as_ref().map(|r| r.code.as_str()))
        })
        .collect();
    assert_eq!(refused, [("gpc0", None), ("gpc1", Some("not-current"))]);
    let (status, operations) = ask(json!({"kind": "pull", "hosts": ["gpc0", "nobody"]})).await;
    let codes: Vec<_> =
        operations.iter().map(|answer| answer.refused.as_ref().unwrap().code.as_str()).collect();
    assert_eq!((status, codes), (409, vec!["busy", "unknown-host"]));
    // Asking again with the same id is the same request.
    for _ in 0..2 {
        let (status, operations) = ask(json!({"kind": "pull", "hosts": ["gpc1"], "op": "mine"})).await;
        assert_eq!((status, operations[0].op.as_str(), &operations[0].refused), (202, "mine", &None));
    }
    let (_, operations) = ask(json!({"kind": "merge-pr", "pr": 7, "expected_head": "abc1234"})).await;
    assert_eq!(operations[0].refused.as_ref().unwrap().code, "no-forge");
    // Both answers are in the audit trail, under the name of the token.
    let trail = soon(world.get("/v1/audit?newest_first=true&limit=3").send()).await.unwrap();
    let trail: Vec<AuditEntry> = trail.json().await.unwrap();
    assert_eq!(trail.len(), 3);
    assert!(trail.iter().all(|entry| entry.by.as_deref() == Some("mba")), "{trail:#?}");
}

#[tokio::test]
async fn the_log_is_told_line_by_line() {
    let world = World::new().await;
    world.says("gpc0", GREEN).await;
    let text = soon(world.get("/v1/events?from=2&to=3").send()).await.unwrap().text().await.unwrap();
    let lines: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let told: Vec<_> = lines.iter().map(|line| (line["position"].as_u64(), line["type"].as_str())).collect();
    assert_eq!(told, [(Some(2), Some("host-configured")), (Some(3), Some("host-configured"))]);
    let read = compartment_core::ndjson::decode(text.lines().next().unwrap().as_bytes()).unwrap();
    assert!(read.at.is_some());
}

#[tokio::test]
async fn what_an_operation_prints_is_followed_to_its_end() {
    let world = World::new().await;
    let body = json!({"kind": "pull", "hosts": ["gpc0"], "op": "p"});
    assert_eq!(soon(world.post("/v1/requests").json(&body).send()).await.unwrap().status(), 202);
    let mut output = events(soon(world.get("/v1/hosts/gpc0/operations/p/output").send()).await.unwrap());
    let printed = async |name: &str| {
        let url = world.url(&format!("/v1/hosts/{name}/operations/p/output"));
        let lines = json!({"lines": [format!("fetching on {name}\u{1b}[31m")]});
        let sent = world.client.post(url).bearer_auth(world.token(name)).json(&lines).send();
        assert_eq!(soon(sent).await.unwrap().status(), 204);
    };
    let waits = next(&mut output).await;
    let why = r#"{"reason":"its agent is not connected"}"#;
    assert_eq!((waits.event.as_str(), waits.data.as_str()), ("waits", why));
    // Of another host's operation nobody hears anything.
    printed("gpc1").await;
    printed("gpc0").await;
    let lines = next(&mut output).await;
    assert_eq!(
        (lines.event.as_str(), lines.data.as_str()),
        ("lines", r#"{"first":1,"lines":["fetching on gpc0␛[31m"]}"#)
    );
    world.says("gpc0", r#"{"host":"gpc0","type":"pull-started","op":"p"}"#).await;
    world
        .says("gpc0", r#"{"host":"gpc0","type":"pull-fail","op":"p","exit_code":3,"error":"no route"}"#)
        .await;
    let end = next(&mut output).await;
    let expected = r#"{"host":"gpc0","op":"p","end":"failed","detail":"exit code 3: no route"}"#;
    assert_eq!((end.event.as_str(), end.data.as_str()), ("end", expected));
    assert!(soon(futures::StreamExt::next(&mut output)).await.is_none());
}

#[tokio::test]
async fn machines_look_after_the_hub() {
    let world = World::new().await;
    let health: Value =
        soon(world.client.get(world.url("/healthz")).send()).await.unwrap().json().await.unwrap();
    assert_eq!(health, json!({"status": "ok", "position": 3, "waiting": 0, "upkeep": []}));
    world.says("gpc0", GREEN).await;
    let numbers = soon(world.get("/metrics").send()).await.unwrap().text().await.unwrap();
    for line in [
        "compartment_cells{cell=\"git\",color=\"green\"} 1",
        "compartment_cells{cell=\"git\",color=\"gray\"} 1",
        "compartment_log_position 4",
        "compartment_http_answers_total{route=\"/v1/hosts/{host}/events\",status=\"200\"} 1",
        "# EOF",
    ] {
        assert!(numbers.lines().any(|told| told == line), "{line} is missing in {numbers}");
    }
    world.hub.shutdown().await;
    let stopped = soon(world.client.get(world.url("/healthz")).send()).await.unwrap();
    assert_eq!(stopped.status(), 503);
    let told: Problem = stopped.json().await.unwrap();
    assert_eq!(told.code(), Some(Code::Unavailable));
    assert!(!told.detail.contains('/'), "{told}");
}

#[tokio::test]
async fn no_proxy_is_to_hold_back_what_is_streamed() {
    let world = World::new().await;
    let body = json!({"kind": "pull", "hosts": ["gpc0"], "op": "p"});
    assert_eq!(soon(world.post("/v1/requests").json(&body).send()).await.unwrap().status(), 202);
    let mut streams = vec![world.listens("gpc0", "s").await];
    for path in ["/v1/live", "/v1/hosts/gpc0/operations/p/output"] {
        streams.push(soon(world.get(path).send()).await.unwrap());
    }
    for stream in streams {
        assert_eq!(stream.headers()["x-accel-buffering"], "no", "{}", stream.url());
    }
}

#[tokio::test]
async fn people_are_told_of_a_disk_that_is_nearly_full_whatever_they_ask_and_hosts_to_come_again() {
    let world = World::new().await;
    let notices = async |path: &str| {
        let answer = soon(world.get(path).send()).await.unwrap();
        answer.headers().get_all("compartment-notice").iter().map(|notice| notice.len()).collect::<Vec<_>>()
    };
    let mut live = events(soon(world.get("/v1/live").send()).await.unwrap());
    assert_eq!(next(&mut live).await.event, "init");
    assert_eq!(notices("/v1/matrix").await, [0; 0]);
    world.log.say_free(Some(1 << 20));
    for path in ["/v1/matrix", "/v1/hosts/nobody", "/v1/audit", "/metrics"] {
        assert_eq!(notices(path).await.len(), 1, "{path}");
    }
    assert_eq!(notices("/healthz").await, [0; 0], "for this nobody needs a token");
    let refused = world.says("gpc0", GREEN).await;
    assert_eq!((refused.status().as_u16(), &refused.headers()["retry-after"]), (503, &"60".parse().unwrap()));
    assert!(!refused.headers().contains_key("compartment-notice"));
    let told = async |live: &mut _| loop {
        let event = next(live).await;
        if event.event == "notices" {
            return serde_json::from_str::<Vec<String>>(&event.data).unwrap();
        }
    };
    let first = told(&mut live).await;
    assert!(first.len() == 1 && first[0].starts_with("the hub's disk has 1 MiB left"), "{first:?}");
    world.log.say_free(None);
    assert_eq!(told(&mut live).await, [""; 0]);
    assert_eq!(world.says("gpc0", GREEN).await.status(), 200);
}

/// A target that names nothing was recorded with its refusal, and no log read that back.
#[tokio::test]
async fn a_rollback_to_nowhere_is_no_request() {
    let world = World::new().await;
    let before = world.hub.health().unwrap().position;
    for to in
        [json!({}), json!({"num": 3}), json!([null, null]), json!([3, null]), json!({"number": 0}), json!(3)]
    {
        let body = json!({"kind": "rollback", "hosts": ["gpc0"], "to": to});
        let asked = world.client.post(world.url("/v1/requests")).bearer_auth(&world.operator).json(&body);
        assert_eq!(soon(asked.send()).await.unwrap().status(), 400, "{body}");
    }
    let list = world.client.post(world.url("/v1/requests")).bearer_auth(&world.operator);
    assert_eq!(soon(list.json(&json!(["pull", ["gpc0"]])).send()).await.unwrap().status(), 400);
    assert_eq!(soon(world.get("/v1/hosts/gpc0/rollback?nmber=3").send()).await.unwrap().status(), 400);
    assert_eq!(world.hub.health().unwrap().position, before);
}

#[tokio::test]
async fn a_configuration_that_cannot_be_is_refused_and_changes_nothing() {
    let world = World::new().await;
    let path = "/v1/hosts/gpc0/configuration";
    let before: Value = soon(world.get(path).send()).await.unwrap().json().await.unwrap();
    assert_eq!(before["tests"], json!({"enabled": true, "auto_run": true, "timeout_s": 60}));
    let change = async |body: Value| {
        let request = world.client.patch(world.url(path)).bearer_auth(&world.operator);
        soon(request.json(&body).send()).await.unwrap().status().as_u16()
    };
    for bad in [
        json!({"tests": {"timeout_s": 0}}),
        json!({"tests": {"timeout_s": 604_801}}),
        json!({"tests": {"timeout": 5}}),
        json!({"channel": "a b"}),
        json!({"checkout": "elsewhere"}),
        json!({"tests": [true]}),
        json!({"tags": ["x"]}),
        json!({"tags": [["x"], []]}),
        json!({"tags": {"add": ["a b"]}}),
        json!({"tags": {"add": (0..33).map(|n| format!("t{n}")).collect::<Vec<_>>()}}),
        json!([]),
    ] {
        assert_eq!(change(bad.clone()).await, 400, "{bad}");
    }
    let after: Value = soon(world.get(path).send()).await.unwrap().json().await.unwrap();
    assert_eq!(before, after);
    assert_eq!(change(json!({})).await, 200);
    assert_eq!(change(json!({"tags": {"add": ["prod", "eu"]}})).await, 200);
    assert_eq!(change(json!({"tags": {"add": ["us"], "remove": ["eu", "asia"]}})).await, 200);
    let after: Value = soon(world.get(path).send()).await.unwrap().json().await.unwrap();
    assert_eq!(after["tags"], json!(["prod", "us"]));
    let gone = soon(world.client.delete(world.url("/v1/hosts/nobody")).bearer_auth(&world.operator).send());
    assert_eq!(gone.await.unwrap().status(), 404);
}
