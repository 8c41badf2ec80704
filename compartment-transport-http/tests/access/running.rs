//! What the server is told while the file changes under it.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use compartment_core::Span;
use compartment_transport_http::server::access::{Access, Denied, Grant, Role, Token, TokenFile};

use crate::{add, at, folder};

fn served() -> (tempfile::TempDir, TokenFile, Access) {
    let (folder, file) = folder();
    let access = Access::from_file(file.clone()).unwrap();
    (folder, file, access)
}

#[test]
fn a_change_counts_for_the_very_next_request() {
    let (_folder, file, access) = served();
    for _ in 0..50 {
        let token = add(&file, Role::Reader);
        assert!(access.authenticate(&token.reveal(), at(1)).is_ok());
        assert!(access.still_valid(&token.id(), at(1)));
        file.revoke(token.id(), at(1)).unwrap();
        assert_eq!(access.authenticate(&token.reveal(), at(1)), Err(Denied::Unknown));
        assert!(!access.still_valid(&token.id(), at(1)));
    }
}

#[test]
fn rotation_counts_while_running() {
    let (_folder, file, access) = served();
    let old = add(&file, Role::Reader);
    let new = file.rotate(old.id(), Span::from_secs(10), at(0)).unwrap();
    assert!(access.still_valid(&old.id(), at(9)) && access.still_valid(&new.id(), at(9)));
    assert!(!access.still_valid(&old.id(), at(10)) && access.still_valid(&new.id(), at(10)));
}

#[test]
fn a_token_expires_on_the_dot() {
    let (_folder, file, access) = served();
    let token = file.add(Role::Reader, "a".parse().unwrap(), Some(at(10)), at(0)).unwrap();
    assert!(access.authenticate(&token.reveal(), at(9)).is_ok());
    assert_eq!(access.authenticate(&token.reveal(), at(10)), Err(Denied::Expired { at: at(10) }));
    assert!(access.still_valid(&token.id(), at(9)) && !access.still_valid(&token.id(), at(10)));
}

#[test]
fn a_wrong_secret_and_an_unknown_token_are_denied_alike() {
    let (_folder, file, access) = served();
    let token = file.add(Role::Operator, "a".parse().unwrap(), Some(at(10)), at(0)).unwrap();
    let guessed = format!("cmp_{}_{}", token.id(), "0".repeat(64));
    // Not even that it has expired is told to those who do not hold it.
    for now in [at(0), at(100)] {
        assert_eq!(access.authenticate(&guessed, now), Err(Denied::Unknown));
        assert_eq!(access.authenticate(&Token::generate().unwrap().reveal(), now), Err(Denied::Unknown));
    }
}

#[test]
fn a_tampered_hash_lets_nobody_in() {
    let (_folder, file, access) = served();
    let token = add(&file, Role::Operator);
    let text = fs::read_to_string(file.path()).unwrap();
    let at_hash = text.find("sha256\": \"").unwrap() + 10;
    let digit = if &text[at_hash..=at_hash] == "0" { "1" } else { "0" };
    fs::write(file.path(), format!("{}{digit}{}", &text[..at_hash], &text[at_hash + 1..])).unwrap();
    assert_eq!(access.authenticate(&token.reveal(), at(0)), Err(Denied::Unknown));
    // Nor does the hash itself serve as a secret.
    let hash = &fs::read_to_string(file.path()).unwrap()[at_hash..at_hash + 64];
    let pretended = format!("cmp_{}_{hash}", token.id());
    assert_eq!(access.authenticate(&pretended, at(0)), Err(Denied::Unknown));
}

#[test]
fn while_the_file_cannot_be_read_nobody_is_let_in() {
    let (folder, file, access) = served();
    let token = add(&file, Role::Operator);
    let good = fs::read(file.path()).unwrap();
    let put = |bytes: &[u8], mode| {
        fs::write(file.path(), bytes).unwrap();
        fs::set_permissions(file.path(), Permissions::from_mode(mode)).unwrap();
    };
    let denied = |why| {
        for _ in 0..2 {
            assert_eq!(access.authenticate(&token.reveal(), at(0)), Err(Denied::Unavailable), "{why}");
            assert!(!access.still_valid(&token.id(), at(0)), "{why}");
        }
    };
    put(&good[..good.len() / 2], 0o600);
    denied("broken");
    put(b"{\"version\":9}", 0o600);
    denied("newer");
    put(&good, 0o644);
    denied("exposed");
    fs::remove_file(file.path()).unwrap();
    denied("gone");
    fs::create_dir(file.path()).unwrap();
    denied("a folder");
    fs::remove_dir(file.path()).unwrap();
    put(&good, 0o600);
    assert!(access.authenticate(&token.reveal(), at(0)).is_ok());
    drop(folder);
    denied("the whole folder is gone");
}

#[test]
fn those_who_ask_at_once_see_one_file_or_the_other() {
    let (_folder, file, access) = served();
    let stays = add(&file, Role::Reader);
    let done = AtomicBool::new(false);
    thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                while !done.load(Ordering::Relaxed) {
                    assert!(access.authenticate(&stays.reveal(), at(0)).is_ok());
                }
            });
        }
        for _ in 0..50 {
            let comes = add(&file, Role::Reader);
            assert!(access.still_valid(&comes.id(), at(0)));
            file.revoke(comes.id(), at(0)).unwrap();
        }
        done.store(true, Ordering::Relaxed);
    });
}

#[test]
fn an_embedder_needs_no_file() {
    let (mine, other) = (Token::generate().unwrap(), Token::generate().unwrap());
    let grant = Grant::new(&mine, Role::Operator, "embedder".parse().unwrap(), at(0));
    let access = Access::in_memory(vec![(mine.clone(), grant.clone())]);
    assert_eq!(access.authenticate(&mine.reveal(), at(0)), Ok(grant));
    assert_eq!(access.authenticate(&other.reveal(), at(0)), Err(Denied::Unknown));
    assert!(access.still_valid(&mine.id(), at(0)) && !access.still_valid(&other.id(), at(0)));
}
