//! The folder of data, what it lies on, the log and the tokens.

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use serde_json::Value;

use crate::support::{Desk, Found, chmod, chown, is_root};

#[test]
fn a_folder_of_data_is_its_owners_alone() {
    let desk = Desk::with_log(&["gpc0"]);
    desk.token(&["--host", "gpc0"]);
    let found = desk.hub(&[]);
    for check in ["data", "log", "tokens", "hosts", "address", "clock", "git", "open files"] {
        found.is_well(check);
    }
    // What the hub is not run with is not looked at.
    for check in ["certificate", "webhook", "service", "plain HTTP", "enrolment", "expired tokens"] {
        found.says_nothing_of(check);
    }
    chmod(&desk.at("data"), 0o777);
    desk.hub(&[]).has("data", "error", "other users may put files into it");
    chmod(&desk.at("data"), 0o700);
    if is_root() {
        chown(&desk.at("data"), 4321);
        desk.hub(&[]).has("data", "error", "what is in it does not: log.sqlite (root)");
        chown(&desk.at("data"), 0);
        // Another user may not look at it at all.
        let mut command = Command::new("setpriv");
        command.args(["--reuid=65534", "--regid=65534", "--clear-groups"]);
        let plain = desk.doctor(&[]);
        fs::copy(plain.get_program(), desk.at("compartment")).unwrap();
        command.arg(desk.at("compartment")).args(plain.get_args()).current_dir(desk.at(""));
        Found::of(command).has("data", "error", "you may not write to it");
    }
    fs::rename(desk.at("data"), desk.at("moved")).unwrap();
    let found = desk.hub(&[]);
    found.has("data", "warning", "is not there: the hub makes it at its first start");
    assert_eq!(found.code, Some(0), "a first start works");
    assert!(!desk.at("data").exists(), "nothing is made");
    fs::write(desk.at("data"), "").unwrap();
    desk.hub(&[]).has("data", "error", "is no folder");
}

/// A file system in memory, until it is dropped.
struct Mounted(PathBuf);

impl Mounted {
    fn at(path: PathBuf, size: &str) -> Option<Self> {
        let mut mount = Command::new("mount");
        mount.args(["-t", "tmpfs", "-o", &format!("size={size},mode=700"), "tmpfs"]).arg(&path);
        let mounted = is_root() && mount.status().is_ok_and(|status| status.success());
        if !mounted {
            println!("nothing can be mounted here: nothing is tested");
        }
        mounted.then_some(Self(path))
    }
}

impl Drop for Mounted {
    fn drop(&mut self) {
        let _gone = Command::new("umount").arg(&self.0).status();
    }
}

#[test]
fn a_disk_that_is_nearly_full_or_forgets_is_found() {
    for (size, verdict, words) in [
        ("100m", "error", "the hub takes only what people ask for"),
        ("300m", "warning", "300 MiB are left"),
        ("2g", "ok", "2048 MiB are left"),
    ] {
        let desk = Desk::new();
        let Some(_mounted) = Mounted::at(desk.at("data"), size) else { return };
        let found = desk.hub(&[]);
        found.has("disk", verdict, words);
        found.has("file system", "warning", "is gone with the next reboot");
    }
}

#[test]
fn a_log_that_does_not_open_or_is_not_as_it_was_written_is_found() {
    let desk = Desk::new();
    desk.hub(&[]).has("log", "warning", "there is none yet");
    desk.import("data", &["gpc0", "gpc1", "gpc2"], "2026-01-05T09:00:00Z");
    desk.hub(&[]).has("log", "ok", "all of its 3 records are as they were written");
    let file = desk.at("data/log.sqlite");
    let good = fs::read(&file).unwrap();
    let by_hand = |sql: &str| rusqlite::Connection::open(&file).unwrap().execute_batch(sql).unwrap();
    by_hand("UPDATE record SET line = line || ' ' WHERE position = 2");
    desk.hub(&[]).has("log", "error", "record 2");
    fs::write(&file, &good).unwrap();
    by_hand("PRAGMA user_version = 99");
    desk.hub(&[]).has("log", "error", "newer than this program");
    fs::write(&file, "no log at all, but a text").unwrap();
    desk.hub(&[]).has("log", "error", "not a log");
}

#[test]
fn a_file_of_tokens_that_is_not_sound_is_found() {
    let desk = Desk::new();
    desk.hub(&[]).has("tokens", "warning", "nobody has a token yet");
    desk.token(&["--reader", "wall"]);
    desk.hub(&[]).has("tokens", "warning", "0 hosts and 1 reader have a token, and no operator");
    desk.token(&["--operator", "mba"]);
    desk.hub(&[]).has("tokens", "ok", "1 operator, 1 reader and 0 hosts have one");
    let file = desk.at("data/tokens.json");
    chmod(&file, 0o640);
    desk.hub(&[]).has("tokens", "error", "lets others at it");
    chmod(&file, 0o600);
    for (text, words) in [("{", "is broken"), ("{\"version\":9}", "newer than this program")] {
        fs::write(&file, text).unwrap();
        desk.hub(&[]).has("tokens", "error", words);
    }
}

#[test]
fn tokens_that_ended_and_codes_that_two_have_had_are_found() {
    let desk = Desk::new();
    desk.token(&["--operator", "mba", "--days", "1"]);
    desk.token(&["--operator", "alice"]);
    desk.token(&["--host", "gpc0", "--enrol", "https://hub.example.org"]);
    desk.hub(&[]).says_nothing_of("expired tokens");
    let file = desk.at("data/tokens.json");
    let mut json: Value = serde_json::from_slice(&fs::read(&file).unwrap()).unwrap();
    let id = json["tokens"][0]["grant"]["id"].clone();
    json["tokens"][0]["grant"]["expires_at"] = "2026-01-05T09:00:00Z".into();
    let used = serde_json::json!({"at": "2026-01-05T09:00:00Z", "token": id});
    json["codes"][0]["enrolment"]["used"] = used;
    json["codes"][0]["enrolment"]["tried_again_at"] = "2026-01-05T09:05:00Z".into();
    fs::write(&file, json.to_string()).unwrap();
    let found = desk.hub(&[]);
    found.has(
        "expired tokens",
        "warning",
        &format!("these have ended: {} (an operator)", id.as_str().unwrap()),
    );
    found.has("enrolment", "warning", "the code of gpc0 was used at 2026-01-05T09:00:00Z");
}

#[test]
fn hosts_without_a_token_and_tokens_without_a_host_are_found() {
    let desk = Desk::with_log(&["gpc0", "gpc1", "gpc2"]);
    for host in ["gpc0", "new0"] {
        desk.token(&["--host", host]);
    }
    let found = desk.hub(&[]);
    found.has("hosts", "warning", "these have a token and were never heard: new0");
    found.has("hosts", "warning", "these were heard, and have no token: gpc1, gpc2");
    // Those that are reached over SSH need none.
    let inventory = desk.at("hosts.toml").display().to_string();
    fs::write(&inventory, "[[hosts]]\nname = 'gpc1'\n").unwrap();
    let found = desk.hub(&["--inventory", &inventory]);
    found.has("inventory", "ok", "1 host is reached over SSH");
    found.has("hosts", "warning", "these were heard, and have no token: gpc2");
    fs::write(&inventory, "[[hosts]]\nname = 1\n").unwrap();
    desk.hub(&["--inventory", &inventory]).has("inventory", "error", "hosts.toml");
}
