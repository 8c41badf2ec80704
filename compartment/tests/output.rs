//! What operations print is there after a hub was killed and started again: with the program as it is installed.

#![expect(clippy::unwrap_used, reason = "a test that finds something else has failed")]

mod serving;

use std::process::Output;

use serving::{Hub, program, tokens};

fn matrix(hub: &Hub, args: &[&str]) -> Output {
    let url = format!("http://{}", hub.address);
    program(&hub.top, &[&["matrix", "--hub", &url, "--token-file", "mba.token"], args].concat())
        .output()
        .unwrap()
}

#[test]
fn what_was_printed_is_shown_after_a_hub_was_killed_and_that_it_has_ended() {
    let folder = tempfile::tempdir().unwrap();
    let top = folder.path();
    tokens(top);
    let hub = Hub::start(top, &[]);
    let events = "/v1/hosts/gpc0/events";
    assert_eq!(hub.post("gpc0.token", events, r#"{"host":"gpc0","type":"heartbeat"}"#), "200");
    let body = r#"{"kind": "pull", "hosts": ["gpc0"], "op": "p"}"#;
    assert_eq!(hub.post("mba.token", "/v1/requests", body), "202");
    assert_eq!(hub.post("gpc0.token", events, r#"{"host":"gpc0","type":"pull-started","op":"p"}"#), "200");
    let lines = r#"{"lines": ["fetching", "no route to host"]}"#;
    assert_eq!(hub.post("gpc0.token", "/v1/hosts/gpc0/operations/p/output", lines), "204");
    let failed = r#"{"host":"gpc0","type":"pull-fail","op":"p","exit_code":3,"error":"no route"}"#;
    assert_eq!(hub.post("gpc0.token", events, failed), "200");
    let shown = |hub: &Hub| {
        let Output { status, stdout, stderr } = matrix(hub, &["output", "gpc0"]);
        assert_eq!(status.code(), Some(1), "it failed");
        String::from_utf8([stdout, stderr].concat()).unwrap()
    };
    let before = shown(&hub);
    assert!(before.starts_with("fetching\nno route to host\n") && before.contains("exit code 3"), "{before}");
    drop(hub);
    let again = Hub::start(top, &[]);
    assert_eq!(shown(&again), before);
}
