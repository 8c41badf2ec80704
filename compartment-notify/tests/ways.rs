//! A real program and a real server are told, and a file remembers it.

#![expect(clippy::unwrap_used, reason = "a test that finds something else has failed")]

use std::ffi::OsString;
use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use compartment_core::notify::{Change, Named, Topic};
use compartment_core::{Compartment, Notification, Text, Timestamp};
use compartment_local::run::Stop;
use compartment_notify::{CommandNotifier, NotifyFile, WebhookError, WebhookNotifier};
use compartment_runtime::{Notifier, NotifyStore};
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use tempfile::TempDir;

const SECRET: &[u8] = b"a secret of the receiver";

/// A notification with what hosts may say.
fn notification() -> Notification {
    let at = Timestamp::from_millis(1_767_607_200_000).unwrap();
    let named = |host: &str| Named {
        host: Some(host.parse().unwrap()),
        channel: None,
        since: at,
        changes: 1,
        why: Text::new("$(touch /tmp/x); `id` \"quoted\" 'single'\u{1b}[2J\n"),
    };
    let red = Change {
        topic: Topic::Red,
        cell: Some(Compartment::Tests),
        over: false,
        count: 12,
        named: vec![named("gpc0"), named("gpc1")],
    };
    let lost = Change { topic: Topic::Lost, cell: None, named: vec![named("gpc1")], count: 1, ..red.clone() };
    let summary = Text::new("Tests is red on 12 hosts: $(id) `id`; \u{1b}[2J");
    Notification { version: 1, id: Text::new("1767607200000-7"), at, summary, changes: vec![red, lost] }
}

fn script(folder: &TempDir, body: &str) -> PathBuf {
    let path = folder.path().join("tell");
    fs::write(&path, format!("#!/bin/sh\n{body}\n")).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
    path
}

async fn run(program: &Path, args: &[&str]) -> Result<(), String> {
    let args = args.iter().map(OsString::from);
    let command = CommandNotifier::new(program, args, Stop::default());
    command.send(&notification()).await.map_err(|error| error.to_string())
}

#[tokio::test]
async fn a_program_gets_json_and_facts_and_nothing_passes_through_a_shell() {
    let folder = tempfile::tempdir().unwrap();
    let program = script(
        &folder,
        "cd \"$(dirname \"$0\")\" || exit\ncat > stdin\nenv | grep ^COMPARTMENT_ | sort > env\nprintf '%s\\n' \"$@\" > args",
    );
    let args = ["--to", "$(touch hit); `touch hit`", "two words"];
    run(&program, &args).await.unwrap();
    let read = |name: &str| fs::read_to_string(folder.path().join(name)).unwrap();
    assert_eq!(serde_json::from_str::<Notification>(&read("stdin")).unwrap(), notification());
    assert_eq!(read("args"), args.join("\n") + "\n");
    let env = read("env");
    let lines: Vec<_> = env.lines().collect();
    assert_eq!(
        lines,
        [
            "COMPARTMENT_NOTIFICATION_AT=2026-01-05T10:00:00Z",
            "COMPARTMENT_NOTIFICATION_COUNT=13",
            "COMPARTMENT_NOTIFICATION_HOSTS=gpc0 gpc1",
            "COMPARTMENT_NOTIFICATION_ID=1767607200000-7",
            "COMPARTMENT_NOTIFICATION_SUMMARY=Tests is red on 12 hosts: $(id) `id`; ␛[2J",
            "COMPARTMENT_NOTIFICATION_TOPICS=red lost",
        ]
    );
    assert!(!folder.path().join("hit").exists());
    assert!(!read("stdin").contains('\u{1b}'));
}

#[tokio::test]
async fn a_program_that_fails_says_why_and_one_that_reads_nothing_has_done_its_work() {
    let folder = tempfile::tempdir().unwrap();
    run(&script(&folder, "exit 0"), &[]).await.unwrap();
    let failed = run(&script(&folder, "echo 'no route to mail' >&2; exit 3"), &[]).await.unwrap_err();
    assert_eq!(failed, "it ended with exit code 3: no route to mail");
    let missing = run(&folder.path().join("missing"), &[]).await.unwrap_err();
    assert!(missing.contains("cannot start"), "{missing}");
    // Whoever ends the hub waits for no program that hangs.
    let (program, stop) = (script(&folder, "sleep 60"), Stop::default());
    let command = CommandNotifier::new(&program, [], stop.clone());
    let begun = Instant::now();
    let asked = tokio::spawn(async move { command.send(&notification()).await });
    tokio::time::sleep(Duration::from_millis(300)).await;
    stop.ask();
    assert_eq!(asked.await.unwrap().unwrap_err().to_string(), "interrupted");
    assert!(begun.elapsed() < Duration::from_secs(20));
}

/// What a server was sent: the head, and the body.
type Received = Arc<Mutex<Vec<(Vec<String>, Vec<u8>)>>>;

/// A server that answers each request with the next of these.
fn server(answers: &'static [&'static str]) -> (url::Url, Received) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/hook?key=hush", listener.local_addr().unwrap()).parse().unwrap();
    let received = Received::default();
    let all = Arc::clone(&received);
    std::thread::spawn(move || {
        for answer in answers {
            let (stream, _) = listener.accept().unwrap();
            all.lock().unwrap().push(request(&stream));
            write!(&stream, "HTTP/1.1 {answer}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n").unwrap();
        }
    });
    (url, received)
}

fn request(stream: &TcpStream) -> (Vec<String>, Vec<u8>) {
    let mut reader = BufReader::new(stream);
    let mut head = Vec::new();
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).unwrap();
        match line.trim_end() {
            "" => break,
            line => head.push(line.to_owned()),
        }
    }
    let length = header(&head, "content-length").parse().unwrap();
    let mut body = vec![0; length];
    reader.read_exact(&mut body).unwrap();
    (head, body)
}

fn header(head: &[String], name: &str) -> String {
    let of = |line: &String| {
        let (this, value) = line.split_once(": ")?;
        this.eq_ignore_ascii_case(name).then(|| value.to_owned())
    };
    head.iter().find_map(of).unwrap_or_default()
}

/// As whoever receives it would check it.
fn is_signed(head: &[String], body: &[u8], secret: &[u8]) -> bool {
    let signature = header(head, "x-hub-signature-256");
    let hex = signature.strip_prefix("sha256=").unwrap();
    let bytes: Vec<u8> =
        (0..hex.len() / 2).map(|n| u8::from_str_radix(&hex[2 * n..2 * n + 2], 16).unwrap()).collect();
    Hmac::<Sha256>::new_from_slice(secret).unwrap().chain_update(body).verify_slice(&bytes).is_ok()
}

#[tokio::test]
async fn a_server_can_check_that_it_was_told_by_whoever_has_the_secret() {
    let (url, received) =
        server(&["204 No Content", "503 Service Unavailable", "302 Found", "401 Unauthorized"]);
    let webhook = WebhookNotifier::new(url, SECRET, false).unwrap();
    webhook.send(&notification()).await.unwrap();
    for status in ["503 Service Unavailable", "302 Found", "401 Unauthorized"] {
        let failed = webhook.send(&notification()).await.unwrap_err().to_string();
        assert_eq!(failed, format!("it answers {status}"));
    }
    let gone = webhook.send(&notification()).await.unwrap_err().to_string();
    assert!(!gone.contains("hush") && !gone.is_empty(), "{gone}");
    let received = received.lock().unwrap();
    assert_eq!(received.len(), 4);
    for (head, body) in received.iter() {
        assert!(head[0].starts_with("POST /hook?key=hush "), "{head:?}");
        assert_eq!(header(head, "content-type"), "application/json");
        assert_eq!(header(head, "x-compartment-notification"), "1767607200000-7");
        assert!(is_signed(head, body, SECRET) && !is_signed(head, body, b"another secret of 16"));
        assert_eq!(serde_json::from_slice::<Notification>(body).unwrap(), notification());
        let mut other = body.clone();
        other[20] ^= 1;
        assert!(!is_signed(head, &other, SECRET));
    }
}

#[test]
fn what_is_not_safe_is_refused() {
    let new = |url: &str, secret: &[u8], trusted| WebhookNotifier::new(url.parse().unwrap(), secret, trusted);
    assert!(matches!(new("http://hooks.example/x", SECRET, false), Err(WebhookError::Plain)));
    assert!(matches!(new("ftp://hooks.example/x", SECRET, true), Err(WebhookError::Scheme)));
    assert!(matches!(new("http://127.0.0.1/x", b"too short", false), Err(WebhookError::WeakSecret)));
    for (url, trusted) in
        [("http://127.0.0.1:1/x", false), ("http://localhost/x", false), ("http://hooks.example/x", true)]
    {
        let webhook = new(url, SECRET, trusted).unwrap();
        assert_eq!(format!("{webhook:?}"), "WebhookNotifier { .. }", "the address may hold a secret, too");
    }
}

#[tokio::test]
async fn what_was_told_is_in_a_file_that_is_nobody_elses() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("notifications");
    let file = NotifyFile::new(&path);
    assert_eq!(file.load().await.unwrap(), None);
    for bytes in [b"one".to_vec(), Vec::new(), vec![0xff; 100_000]] {
        file.save(bytes.clone()).await.unwrap();
        assert_eq!(NotifyFile::new(&path).load().await.unwrap(), Some(bytes));
    }
    assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    let nowhere = NotifyFile::new(&folder.path().join("missing/notifications"));
    assert!(nowhere.save(Vec::new()).await.is_err());
    assert_eq!(nowhere.load().await.unwrap(), None);
    assert!(NotifyFile::new(folder.path()).load().await.is_err());
}
