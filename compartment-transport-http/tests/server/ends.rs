//! How operations end, for whoever follows them: each end in its word, and `ok` alone is success.

use compartment_core::Span;
use compartment_core::operation::End;
use compartment_transport_http::wire::output::Ended;
use futures::StreamExt;
use serde_json::{Value, json};

use super::world::{World, events, host, soon};

impl World {
    async fn asks(&self, body: Value) {
        let answer = soon(self.post("/v1/requests").json(&body).send()).await.unwrap();
        assert_eq!(answer.status(), 202, "{body}");
    }

    /// How an operation of a host ended, as its followers are told.
    async fn end(&self, name: &str, op: &str) -> Ended {
        let path = format!("/v1/hosts/{name}/operations/{op}/output");
        let mut events = events(soon(self.get(&path).send()).await.unwrap());
        loop {
            let event = soon(events.next()).await.unwrap();
            if event.event == "end" {
                return serde_json::from_str(&event.data).unwrap();
            }
        }
    }

    /// A pull that is asked for, and then this is said.
    async fn pull(&self, op: &str, said: &[&str]) -> (End, Option<String>) {
        self.asks(json!({"kind": "pull", "hosts": ["gpc0"], "op": op})).await;
        for fields in said {
            self.says("gpc0", &format!(r#"{{"host":"gpc0",{fields}}}"#)).await;
        }
        let Ended { host: of, op: id, end, detail } = self.end("gpc0", op).await;
        assert_eq!((of, id.as_str()), (host("gpc0"), op));
        (end, detail)
    }
}

#[tokio::test]
async fn what_a_host_says_of_an_end_is_told() {
    let world = World::new().await;
    for (op, said, end, detail) in [
        (
            "ok",
            vec![
                r#""type":"pull-started","op":"ok""#,
                r#""type":"pull-ok","op":"ok","commit":"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa""#,
            ],
            End::Ok,
            None,
        ),
        (
            "failed",
            vec![r#""type":"pull-fail","op":"failed","exit_code":3"#],
            End::Failed,
            Some("exit code 3"),
        ),
        (
            "rejected",
            vec![r#""type":"op-rejected","kind":"pull","op":"rejected","reason":"not now""#],
            End::Rejected,
            Some("not now"),
        ),
        (
            "stopped",
            vec![
                r#""type":"pull-started","op":"stopped""#,
                r#""type":"op-stopped","kind":"pull","op":"stopped","by":"mba""#,
            ],
            End::Stopped,
            Some("by mba, as the host says"),
        ),
        (
            "lost",
            vec![r#""type":"pull-started","op":"lost""#, r#""type":"heartbeat","running":null"#],
            End::Lost,
            None,
        ),
        (
            "overtaken",
            vec![
                r#""type":"pull-started","op":"overtaken""#,
                r#""type":"switch-started","op":"s""#,
                r#""type":"switch-fail","op":"s""#,
            ],
            End::Overtaken,
            None,
        ),
        ("expired", vec![r#""type":"pull-started","op":"expired","timeout_s":1"#], End::Expired, None),
        // One without an id was begun by hand: what was asked for still waits (CORE-006 W3).
        (
            "waits",
            vec![
                r#""type":"pull-started""#,
                r#""type":"pull-fail""#,
                r#""type":"pull-ok","op":"waits","commit":"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa""#,
            ],
            End::Ok,
            None,
        ),
    ] {
        assert_eq!(world.pull(op, &said).await, (end, detail.map(str::to_owned)), "{op}");
    }
    // All of it is told again to whoever comes when the state has forgotten it.
    for n in 0..12 {
        let op = format!("later-{n}");
        assert_eq!(world.pull(&op, &[&format!(r#""type":"pull-fail","op":"{op}""#)]).await.0, End::Failed);
    }
    for (op, end) in
        [("ok", End::Ok), ("failed", End::Failed), ("rejected", End::Rejected), ("stopped", End::Stopped)]
    {
        assert_eq!(world.end("gpc0", op).await.end, end);
    }
}

#[tokio::test]
async fn what_the_hub_decides_of_an_end_is_told() {
    let world = World::new().await;
    let soon_over = world.hub.now() + Span::from_millis(300);
    world
        .asks(json!({"kind": "pull", "hosts": ["gpc0"], "op": "lapsed", "deliver_by": soon_over.to_string()}))
        .await;
    assert_eq!(world.end("gpc0", "lapsed").await.end, End::Lapsed);
    world.says("gpc0", r#"{"host":"gpc0","type":"switch-started","op":"busy"}"#).await;
    let refused = json!({"kind": "pull", "hosts": ["gpc0"], "op": "refused"});
    assert_eq!(soon(world.post("/v1/requests").json(&refused).send()).await.unwrap().status(), 409);
    assert_eq!(world.end("gpc0", "refused").await.end, End::Refused);
    world.hub.remove(host("gpc0")).await.unwrap();
    assert_eq!(world.end("gpc0", "busy").await.end, End::HostRemoved);
    assert_eq!(world.end("gpc0", "lapsed").await.end, End::Lapsed, "it had ended before");
}

#[tokio::test]
async fn no_host_answers_for_anothers_operation() {
    let world = World::new().await;
    for name in ["gpc0", "gpc1"] {
        world.asks(json!({"kind": "pull", "hosts": [name], "op": "p"})).await;
    }
    // gpc1 knows the id of what gpc0 is to do, and says that it is done.
    let passed = r#""op":"p","type":"pull-ok","commit":"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa""#;
    world.says("gpc1", &format!(r#"{{"host":"gpc1",{passed}}}"#)).await;
    let url = world.url("/v1/hosts/gpc1/operations/p/output");
    let lines = json!({"lines": ["9 of 9 tests passed"]});
    let sent = world.client.post(url).bearer_auth(world.token("gpc1")).json(&lines).send();
    assert_eq!(soon(sent).await.unwrap().status(), 204);
    world.says("gpc0", r#"{"host":"gpc0","type":"pull-fail","op":"p"}"#).await;
    let mut followed = events(soon(world.get("/v1/hosts/gpc0/operations/p/output").send()).await.unwrap());
    let first = soon(followed.next()).await.unwrap();
    assert_eq!(first.event, "end", "nothing of what gpc1 printed: {}", first.data);
    assert_eq!(world.end("gpc0", "p").await.end, End::Failed);
    assert_eq!(world.end("gpc1", "p").await.end, End::Ok);
    // Nor does it speak for the other in any other way.
    for path in ["events", "operations/p/output", "operations/p/ack?session=s"] {
        let url = world.url(&format!("/v1/hosts/gpc0/{path}"));
        let sent = world.client.post(url).bearer_auth(world.token("gpc1")).json(&lines).send();
        assert_eq!(soon(sent).await.unwrap().status(), 403, "{path}");
    }
}
