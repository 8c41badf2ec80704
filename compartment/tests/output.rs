//! What operations print is there after a hub was killed and started again: with the program as it is installed.

#![expect(clippy::unwrap_used, reason = "a test that finds something else has failed")]

use std::fs::{self, File};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::Duration;

const PROGRAM: &str = env!("CARGO_BIN_EXE_compartment");

/// How long an answer may take; each needs a moment.
const LIMIT: Duration = Duration::from_secs(60);

fn program(top: &Path, args: &[&str]) -> Command {
    let mut command = Command::new(PROGRAM);
    command.args(args).current_dir(top).env("HOME", top).stdin(Stdio::null());
    command
}

/// A hub that runs, and is killed when this is dropped.
struct Hub {
    child: Child,
    address: String,
    top: PathBuf,
}

impl Hub {
    fn start(top: &Path) -> Self {
        let mut hub = program(top, &["hub", "--data", "data", "--listen", "127.0.0.1:0"]);
        hub.stdout(Stdio::piped()).stderr(File::create(top.join("hub.log")).unwrap());
        let mut child = hub.spawn().unwrap();
        let line = BufReader::new(child.stdout.take().unwrap()).lines().next().unwrap().unwrap();
        let address =
            line.split([' ', ',']).find_map(|word| word.strip_prefix("http://")).unwrap().to_owned();
        Self { child, address, top: top.to_owned() }
    }

    fn matrix(&self, args: &[&str]) -> Output {
        let url = format!("http://{}", self.address);
        program(&self.top, &[&["matrix", "--hub", &url, "--token-file", "mba.token"], args].concat())
            .output()
            .unwrap()
    }

    /// Somebody with a token sends something. Gives the status.
    fn post(&self, token: &str, path: &str, body: &str) -> String {
        let token = fs::read_to_string(self.top.join(token)).unwrap();
        let mut stream = TcpStream::connect(&self.address).unwrap();
        stream.set_read_timeout(Some(LIMIT)).unwrap();
        let head = format!(
            "POST {path} HTTP/1.1\r\nHost: hub\r\nAuthorization: Bearer {}\r\nContent-Type: application/json\r\n\
             Content-Length: {}\r\nConnection: close\r\n\r\n",
            token.trim(),
            body.len()
        );
        stream.write_all((head + body).as_bytes()).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        answer.split(' ').nth(1).unwrap().to_owned()
    }
}

impl Drop for Hub {
    fn drop(&mut self) {
        // As a power cut would: nothing is put in order.
        let _gone = self.child.kill();
        let _gone = self.child.wait();
    }
}

#[test]
fn what_was_printed_is_shown_after_a_hub_was_killed_and_that_it_has_ended() {
    let folder = tempfile::tempdir().unwrap();
    let top = folder.path();
    for (role, name) in [("--operator", "mba"), ("--host", "gpc0")] {
        let out = format!("{name}.token");
        let made = program(top, &["hub", "token", "add", "--data", "data", role, name, "--out", &out])
            .output()
            .unwrap();
        assert!(made.status.success(), "{made:?}");
    }
    let hub = Hub::start(top);
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
        let Output { status, stdout, stderr } = hub.matrix(&["output", "gpc0"]);
        assert_eq!(status.code(), Some(1), "it failed");
        String::from_utf8([stdout, stderr].concat()).unwrap()
    };
    let before = shown(&hub);
    assert!(before.starts_with("fetching\nno route to host\n") && before.contains("exit code 3"), "{before}");
    drop(hub);
    let again = Hub::start(top);
    assert_eq!(shown(&again), before);
}
