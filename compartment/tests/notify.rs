//! People are told by the program as it is installed: a real server checks the signature, a real command writes what it got, and
//! a hub that was killed and started again tells nothing twice.

#![expect(clippy::unwrap_used, reason = "a test that finds something else has failed")]

mod serving;

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use compartment_core::Notification;
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

use serving::{Hub, LIMIT, program, tokens};

const SECRET: &str = "known to both of them";

/// What a server was told, each by whoever has the secret.
type Told = Arc<Mutex<Vec<Notification>>>;

fn receiver() -> (String, Told) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/", listener.local_addr().unwrap());
    let told = Told::default();
    let all = Arc::clone(&told);
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let stream = stream.unwrap();
            all.lock().unwrap().push(receive(&stream));
            write!(&stream, "HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n").unwrap();
        }
    });
    (url, told)
}

fn receive(stream: &TcpStream) -> Notification {
    stream.set_read_timeout(Some(LIMIT)).unwrap();
    let mut reader = BufReader::new(stream);
    let (mut length, mut signature) = (0, String::new());
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).unwrap();
        let line = line.trim_end().to_lowercase();
        if line.is_empty() {
            break;
        }
        if let Some(value) = line.strip_prefix("content-length: ") {
            length = value.parse().unwrap();
        }
        if let Some(value) = line.strip_prefix("x-hub-signature-256: sha256=") {
            signature = value.to_owned();
        }
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body).unwrap();
    let code = Hmac::<Sha256>::new_from_slice(SECRET.as_bytes()).unwrap().chain_update(&body).finalize();
    let hex: String = code.into_bytes().iter().map(|byte| format!("{byte:02x}")).collect();
    assert_eq!(signature, hex, "it is signed");
    serde_json::from_slice(&body).unwrap()
}

fn until(what: &str, is_so: impl Fn() -> bool) {
    let deadline = Instant::now() + LIMIT;
    while !is_so() {
        assert!(Instant::now() < deadline, "it takes too long: {what}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// What the command was given, by id.
fn by_command(top: &Path) -> Vec<Notification> {
    let files = fs::read_dir(top.join("told")).unwrap().map(|file| file.unwrap().path());
    let mut files: Vec<_> = files.filter(|path| path.extension().is_some_and(|end| end == "json")).collect();
    files.sort();
    files.iter().map(|file| serde_json::from_slice(&fs::read(file).unwrap()).unwrap()).collect()
}

fn summaries(told: &[Notification]) -> Vec<&str> {
    told.iter().map(|told| told.summary.as_str()).collect()
}

#[test]
fn a_hub_that_was_killed_tells_nothing_twice() {
    let folder = tempfile::tempdir().unwrap();
    let top = folder.path();
    tokens(top);
    fs::create_dir(top.join("told")).unwrap();
    let script = "#!/bin/sh\ncat > \"$1/$COMPARTMENT_NOTIFICATION_ID.part\"\n\
                  mv \"$1/$COMPARTMENT_NOTIFICATION_ID.part\" \"$1/$COMPARTMENT_NOTIFICATION_ID.json\"\n\
                  echo \"$COMPARTMENT_NOTIFICATION_ID\" >> \"$1/ids\"\n";
    fs::write(top.join("tell"), script).unwrap();
    fs::set_permissions(top.join("tell"), fs::Permissions::from_mode(0o755)).unwrap();
    compartment_runtime::write_private(&top.join("secret"), format!("{SECRET}\n")).unwrap();
    let (url, told) = receiver();
    let (tell, to) = (top.join("tell").display().to_string(), top.join("told").display().to_string());
    let args = [
        "--notify-command",
        &tell,
        "--notify-arg",
        &to,
        "--notify-url",
        &url,
        "--notify-secret-file",
        "secret",
        "--notify-quiet",
        "1",
        "--notify-gather",
        "1",
    ];
    let hub = Hub::start(top, &args);
    let log = || fs::read_to_string(top.join("hub.log")).unwrap_or_default();
    until("it has begun", || log().contains("nobody is told of what is so already"));
    let says =
        |hub: &Hub, lines: &str| assert_eq!(hub.post("gpc0.token", "/v1/hosts/gpc0/events", lines), "200");
    let switched = r#"{"host":"gpc0","type":"switch-ok","commit":"abcdef1","dirty":false}"#;
    let failed = r#"{"host":"gpc0","type":"test-fail","passed":1,"total":2,"failed":["\u001b[31mgraphics"]}"#;
    says(&hub, &format!("{switched}\n{failed}"));
    let red = "Tests is red on gpc0";
    until("both are told", || told.lock().unwrap().len() == 1 && by_command(top).len() == 1);
    assert_eq!(
        summaries(&told.lock().unwrap()),
        [red],
        "nobody looks at what is desired since the start: that is no news"
    );
    assert_eq!(by_command(top), *told.lock().unwrap());
    let why = told.lock().unwrap()[0].changes[0].named[0].why.to_string();
    assert!(why.contains("graphics") && !why.contains('\u{1b}'), "{why}");
    // Both have said that it arrived, and that is written down.
    until("it is written down", || log().matches("people were told").count() == 2);
    std::thread::sleep(Duration::from_secs(1));
    drop(hub);

    let hub = Hub::start(top, &args);
    // More than a look, and all the time that there is nothing to tell.
    std::thread::sleep(Duration::from_secs(8));
    assert_eq!(told.lock().unwrap().len(), 1);
    says(&hub, r#"{"host":"gpc0","type":"test-pass","passed":2,"total":2}"#);
    until("that it is over is told", || told.lock().unwrap().len() == 2 && by_command(top).len() == 2);
    assert_eq!(summaries(&told.lock().unwrap()), [red, "Tests is red no more on gpc0"]);
    assert_eq!(fs::read_to_string(top.join("told/ids")).unwrap().lines().count(), 2, "once each");
    let mode = fs::metadata(top.join("data/notifications")).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
}

#[test]
fn what_cannot_be_used_is_told_before_anything_runs() {
    let folder = tempfile::tempdir().unwrap();
    let top = folder.path();
    compartment_runtime::write_private(&top.join("short"), "short\n").unwrap();
    compartment_runtime::write_private(&top.join("secret"), SECRET).unwrap();
    for (args, why) in [
        (
            ["--notify-url", "http://hooks.example/", "--notify-secret-file", "secret"],
            "--notify-url: without TLS",
        ),
        (
            ["--notify-url", "https://hooks.example/", "--notify-secret-file", "short"],
            "at least 16 characters",
        ),
        (
            ["--notify-url", "https://hooks.example/", "--notify-secret-file", "missing"],
            "missing cannot be read",
        ),
    ] {
        let all = [&["hub", "--data", "data", "--listen", "127.0.0.1:0"][..], &args].concat();
        let refused = program(top, &all).output().unwrap();
        let said = String::from_utf8(refused.stderr).unwrap();
        assert!(!refused.status.success() && said.contains(why), "{said}");
    }
}
