//! The address, the certificate, the forge, the webhook and the clock.

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpListener;
use std::process::{Child, Stdio};
use std::time::{Duration, SystemTime};

use rcgen::{CertificateParams, KeyPair, date_time_ymd};

use crate::support::{Desk, chmod, chown, is_root};

/// A hub that runs, until it is dropped.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _gone = self.0.kill();
        let _gone = self.0.wait();
    }
}

fn start(desk: &Desk) -> (Running, String) {
    let mut serve = desk.program(&["hub", "--data", "data", "--listen", "127.0.0.1:0"]);
    let mut hub = Running(serve.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap());
    let said = BufReader::new(hub.0.stdout.take().unwrap()).lines().next().unwrap().unwrap();
    let address = said.split([' ', ',']).find_map(|word| word.strip_prefix("http://")).unwrap().to_owned();
    (hub, address)
}

#[test]
fn an_address_is_free_or_a_hubs_or_somebody_elses() {
    let desk = Desk::with_log(&["gpc0"]);
    let (hub, address) = start(&desk);
    let before = desk.snapshot();
    desk.hub(&["--listen", &address]).has("address", "ok", "a hub answers at");
    assert_eq!(desk.snapshot(), before, "nothing is changed beside a hub that runs");
    drop(hub);
    desk.hub(&["--listen", &address]).has("address", "ok", "is free");

    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    std::thread::spawn(move || listener.incoming().for_each(drop));
    desk.hub(&["--listen", &address]).has("address", "error", "that is no hub");
    desk.hub(&["--listen", "192.0.2.1:7070"]).has("address", "error", "cannot be listened on");
    desk.hub(&[]).says_nothing_of("plain HTTP");
    desk.hub(&["--listen", "0.0.0.0:0"]).has(
        "plain HTTP",
        "error",
        "without TLS the hub does not listen there",
    );
    desk.hub(&["--listen", "0.0.0.0:0", "--allow-plain"]).has("plain HTTP", "warning", "reads the tokens");
}

#[test]
fn a_certificate_is_looked_at_before_anybody_connects() {
    let desk = Desk::new();
    let day = 24 * 60 * 60;
    let this_year = 1970 + (SystemTime::UNIX_EPOCH.elapsed().unwrap().as_secs() / (day * 365)) as i32;
    let key = KeyPair::generate().unwrap();
    let put = |from, to| {
        let mut params = CertificateParams::new(vec!["hub.example.org".to_owned()]).unwrap();
        (params.not_before, params.not_after) = (from, to);
        fs::write(desk.at("cert"), params.self_signed(&key).unwrap().pem()).unwrap();
        fs::write(desk.at("key"), key.serialize_pem()).unwrap();
        chmod(&desk.at("key"), 0o600);
    };
    let args = ["--listen", "0.0.0.0:0", "--tls-cert", "cert", "--tls-key", "key"];
    put(date_time_ymd(2020, 1, 1), date_time_ymd(this_year + 5, 1, 1));
    let found = desk.hub(&args);
    found.has("certificate", "ok", "it fits its key, and counts until");
    found.says_nothing_of("plain HTTP");
    let in_ten_days = SystemTime::UNIX_EPOCH.elapsed().unwrap() + Duration::from_secs(10 * day);
    put(date_time_ymd(2020, 1, 1), date_time_ymd(1970, 1, 1) + in_ten_days);
    desk.hub(&args).has("certificate", "warning", "it expires soon");
    put(date_time_ymd(2020, 1, 1), date_time_ymd(2021, 1, 1));
    desk.hub(&args).has("certificate", "error", "it has expired at 2021-01-01");
    put(date_time_ymd(this_year + 2, 1, 1), date_time_ymd(this_year + 5, 1, 1));
    desk.hub(&args).has("certificate", "error", "it counts only from");
    put(date_time_ymd(2020, 1, 1), date_time_ymd(this_year + 5, 1, 1));
    if is_root() {
        chown(&desk.at("data"), 4321);
        desk.hub(&args).has("certificate", "warning", "is not readable for the user 4321");
        chown(&desk.at("data"), 0);
    }
    chmod(&desk.at("key"), 0o644);
    desk.hub(&args).has("certificate", "error", "lets other users at it");
    fs::write(desk.at("key"), KeyPair::generate().unwrap().serialize_pem()).unwrap();
    chmod(&desk.at("key"), 0o600);
    desk.hub(&args).has("certificate", "error", "does not fit the certificate");
    fs::remove_file(desk.at("cert")).unwrap();
    desk.hub(&args).has("certificate", "error", "cannot read");
}

#[test]
fn a_forge_that_is_not_reached_or_lacks_the_branch_is_found() {
    let desk = Desk::new();
    desk.hub(&[]).has("forge", "warning", "without --forge nothing is known");
    let repository = desk.repository();
    let found = desk.hub(&["--forge", &repository]);
    found.has("forge", "ok", "`main` of");
    found.says_nothing_of("merges");
    assert!(!desk.at("data/repository").exists(), "nothing is fetched");
    desk.hub(&["--forge", &repository, "--branch", "live"]).has("forge", "error", "has no branch `live`");
    desk.hub(&["--forge", "/no/such/repository"]).has("forge", "error", "/no/such/repository cannot be used");
    let found = desk.hub(&["--forge", "https://me:hush@127.0.0.1:1/config.git"]);
    found.has("forge", "error", "127.0.0.1:1/config.git cannot be used");
    assert!(!format!("{found:?}").contains("hush"));
    let github = ["--forge", "github:example/config", "--github-api", "http://127.0.0.1:1"];
    let found = desk.hub(&github);
    found.has("forge", "error", "github:example/config cannot be used");
    found.has("merges", "warning", "without a token GitHub is asked at most 60 times");
    if is_root() {
        chown(&desk.at("data"), 4321);
        let found = desk.hub(&["--forge", &repository]);
        found.has("merges", "warning", "the user 4321, whom the hub runs as, may not write to");
    }
}

#[test]
fn a_webhooks_secret_is_looked_at() {
    let desk = Desk::new();
    let repository = desk.repository();
    let args = ["--forge", &repository, "--webhook-secret-file", "secret"];
    desk.hub(&args).has("webhook", "error", "cannot be read");
    fs::write(desk.at("secret"), "short").unwrap();
    chmod(&desk.at("secret"), 0o600);
    desk.hub(&args).has("webhook", "error", "");
    fs::write(desk.at("secret"), "a".repeat(40)).unwrap();
    desk.hub(&args).has("webhook", "ok", "can be used");
    chmod(&desk.at("secret"), 0o644);
    desk.hub(&args).has("webhook", "error", "lets other users at it");
}

/// A server that publishes what is desired, and says that it is this time.
fn publishes(date: &'static str) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        for mut client in listener.incoming().map_while(Result::ok) {
            let mut asked = [0; 4096];
            let count = client.read(&mut asked).unwrap_or(0);
            let body = if asked[..count].starts_with(b"HEAD") { "" } else { "{\"commit\":\"abc1234\"}" };
            let length = body.len();
            let head = format!(
                "HTTP/1.1 200 OK\r\nDate: {date}\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n"
            );
            let _gone = client.write_all((head + body).as_bytes());
        }
    });
    format!("published:http://{address}/desired.json")
}

#[test]
fn a_clock_that_is_wrong_is_found() {
    let desk = Desk::new();
    let place = publishes("Mon, 05 Jan 2026 09:00:00 GMT");
    desk.hub(&["--forge", &place]).has("clock", "error", "ahead of the forge's");
    let place = publishes("Sun, 05 Jan 2098 09:00:00 GMT");
    desk.hub(&["--forge", &place]).has("clock", "error", "behind the forge's");
    // Without a forge that says the time, what was written tells.
    desk.token(&["--operator", "mba"]);
    desk.hub(&[]).is_well("clock");
    let file = fs::OpenOptions::new().write(true).open(desk.at("data/tokens.json")).unwrap();
    file.set_modified(SystemTime::now() + Duration::from_secs(120)).unwrap();
    desk.hub(&[]).has("clock", "warning", "tokens.json was written at");
    file.set_modified(SystemTime::now() + Duration::from_secs(7200)).unwrap();
    desk.hub(&[]).has("clock", "error", "tokens.json was written at");
    file.set_modified(SystemTime::now()).unwrap();
    desk.import("data", &["gpc0"], "2098-01-05T09:00:00Z");
    desk.hub(&[]).has("clock", "error", "the last record of the log is of 2098-01-05");
}
