//! The file that keeps them.

use std::fs::{self, Permissions};
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown};
use std::thread;

use compartment_core::Span;
use compartment_transport_http::server::access::{Access, Denied, Role, Token, TokenFile, TokenFileError};

use crate::{add, at, folder, host};

#[test]
fn keeps_what_was_issued_and_never_the_secret() {
    let (folder, file) = folder();
    let token = file.add(host("gpc0"), "gpc0".parse().unwrap(), Some(at(60)), at(0)).unwrap();
    let text = fs::read_to_string(file.path()).unwrap();
    assert!(!text.contains(&token.reveal()[21..]), "{text}");
    assert_eq!(fs::metadata(file.path()).unwrap().mode() & 0o777, 0o600);

    let again = TokenFile::open(folder.path()).unwrap();
    let [grant] = &again.list().unwrap()[..] else { unreachable!("one token") };
    assert_eq!((grant.id, &grant.role), (token.id(), &host("gpc0")));
    assert_eq!((grant.created_at, grant.expires_at), (at(0), Some(at(60))));
    assert!(Access::from_file(again).unwrap().authenticate(&token.reveal(), at(0)).is_ok());
}

#[test]
fn the_format_is_as_documented() {
    let (_folder, file) = folder();
    let token = add(&file, host("gpc0"));
    add(&file, Role::Reader);
    let json: serde_json::Value = serde_json::from_slice(&fs::read(file.path()).unwrap()).unwrap();
    assert_eq!(json["version"], 1);
    let mut entry = json["tokens"][0].clone();
    assert_eq!(entry["sha256"].take().as_str().map(str::len), Some(64));
    let expected = serde_json::json!({
        "grant": {
            "id": token.id().to_string(),
            "name": "alice",
            "role": { "host": "gpc0" },
            "created_at": "2026-01-05T10:00:00Z",
        },
        "sha256": null,
    });
    assert_eq!(entry, expected);
    assert_eq!(json["tokens"][1]["grant"]["role"], "reader");
}

#[test]
fn writers_at_once_lose_nothing() {
    let (folder, file) = folder();
    // Each opens the file for itself, as separate programs do: the lock belongs to the open file.
    thread::scope(|scope| {
        for writer in 0..4 {
            let folder = folder.path();
            scope.spawn(move || {
                let file = TokenFile::open(folder).unwrap();
                let kept: Vec<Token> = (0..8).map(|_| add(&file, Role::Reader)).collect();
                file.revoke(kept[writer].id(), at(0)).unwrap();
            });
        }
    });
    assert_eq!(file.list().unwrap().len(), 4 * 7);
}

#[test]
fn what_a_killed_writer_left_is_in_nobodys_way() {
    let (folder, file) = folder();
    fs::write(folder.path().join("tokens.json.new"), "half of a fi").unwrap();
    add(&file, Role::Reader);
    assert_eq!(file.list().unwrap().len(), 1);
    assert!(!folder.path().join("tokens.json.new").exists());
}

#[test]
fn a_rotated_token_goes_on_for_its_grace() {
    let (_folder, file) = folder();
    let old = file.add(Role::Operator, "alice".parse().unwrap(), Some(at(3600)), at(0)).unwrap();
    let new = file.rotate(old.id(), Span::from_secs(600), at(1000)).unwrap();
    let access = Access::from_file(file.clone()).unwrap();
    assert!(access.authenticate(&old.reveal(), at(1599)).is_ok());
    assert_eq!(access.authenticate(&old.reveal(), at(1600)), Err(Denied::Expired { at: at(1600) }));
    let grant = access.authenticate(&new.reveal(), at(1600)).unwrap();
    assert_eq!((grant.role, grant.name.as_str()), (Role::Operator, "alice"));
    // It lasts as long as the old one was meant to.
    assert_eq!(grant.expires_at, Some(at(4600)));
    // The old one is no name for the new one.
    let refused = file.rotate(old.id(), Span::default(), at(1001)).unwrap_err();
    assert!(matches!(refused, TokenFileError::Replaced { by, .. } if by == new.id()), "{refused}");
    // Once its grace is over it is forgotten, with the next change.
    add(&file, Role::Reader);
    assert_eq!(file.list().unwrap().len(), 3);
    file.add(Role::Reader, "bob".parse().unwrap(), None, at(1600)).unwrap();
    assert!(file.list().unwrap().iter().all(|grant| grant.id != old.id()));
}

#[test]
fn rotating_without_grace_ends_the_old_one_at_once() {
    let (_folder, file) = folder();
    let old = add(&file, Role::Operator);
    let new = file.rotate(old.id(), Span::default(), at(1)).unwrap();
    assert_eq!(file.list().unwrap().iter().map(|grant| grant.id).collect::<Vec<_>>(), [new.id()]);
}

#[test]
fn grace_never_makes_a_token_last_longer() {
    let (_folder, file) = folder();
    let old = file.add(Role::Operator, "alice".parse().unwrap(), Some(at(60)), at(0)).unwrap();
    file.rotate(old.id(), TokenFile::GRACE, at(1)).unwrap();
    assert_eq!(file.list().unwrap()[0].expires_at, Some(at(60)));
}

#[test]
fn who_is_not_there_cannot_be_revoked() {
    let (_folder, file) = folder();
    let token = Token::generate().unwrap();
    for refused in
        [file.revoke(token.id(), at(0)).map(drop), file.rotate(token.id(), Span::default(), at(0)).map(drop)]
    {
        assert!(matches!(refused, Err(TokenFileError::Missing(id)) if id == token.id()));
    }
}

/// Each is refused by every call, says what to do, and is as it was afterwards.
#[test]
fn what_is_not_understood_is_refused_and_kept() {
    let entry = |more: &str| {
        format!(
            r#"{{"grant":{{"id":"0011223344556677","name":"a","role":"reader","created_at":"2026-01-05T10:00:00Z"{more}}},
                "sha256":"{}"}}"#,
            "0".repeat(64)
        )
    };
    let document = |tokens: &str| format!(r#"{{"version":1,"tokens":[{tokens}]}}"#);
    for (text, expected) in [
        (String::new(), "is broken: EOF while parsing"),
        ("{\"version\":1,\"tok".to_owned(), "is broken: EOF"),
        ("{\"version\":0,\"tokens\":[]}".to_owned(), "there is no version 0"),
        ("{\"version\":3,\"anything\":true}".to_owned(), "newer than this program: update"),
        (document(&entry(r#","only_from":"10.0.0.0/8""#)), "unknown field `only_from`"),
        (document(&entry(r#","expires_at":"tomorrow""#)), "not a valid time"),
        (document(&entry("").replace("000000", "00000g")), "not a SHA-256"),
        (document(&entry("").replace("reader", "root")), "unknown variant `root`"),
        (document(&format!("{},{}", entry(""), entry(""))), "0011223344556677 is in it twice"),
        (format!("{}{}", document(""), " ".repeat(17 << 20)), "larger than any file of tokens"),
    ] {
        let (folder, file) = folder();
        fs::write(file.path(), &text).unwrap();
        for refused in [
            file.list().map(drop),
            file.add(Role::Reader, "a".parse().unwrap(), None, at(0)).map(drop),
            file.revoke(Token::generate().unwrap().id(), at(0)).map(drop),
            TokenFile::open(folder.path()).map(drop),
            Access::from_file(file.clone()).map(drop),
        ] {
            let refused = refused.unwrap_err().to_string();
            assert!(refused.contains(expected), "{refused}");
            assert!(refused.contains("tokens.json"), "{refused}");
        }
        assert!(fs::read_to_string(file.path()).unwrap() == text);
    }
}

#[test]
fn a_file_that_others_may_read_is_refused() {
    let (_folder, file) = folder();
    let token = add(&file, Role::Operator);
    for mode in [0o640, 0o604, 0o620, 0o602] {
        fs::set_permissions(file.path(), Permissions::from_mode(mode)).unwrap();
        let refused = file.list().unwrap_err();
        assert!(matches!(refused, TokenFileError::Exposed { mode: found, .. } if found == mode), "{refused}");
        assert!(refused.to_string().contains(&format!("has the mode {mode:o}")), "{refused}");
        assert!(refused.to_string().contains("chmod 600"), "{refused}");
    }
    fs::set_permissions(file.path(), Permissions::from_mode(0o600)).unwrap();
    assert_eq!(file.list().unwrap()[0].id, token.id());
}

#[test]
fn a_folder_that_is_not_there_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let refused = TokenFile::open(&folder.path().join("nowhere")).unwrap_err().to_string();
    assert!(refused.contains("nowhere/tokens.json"), "{refused}");
}

#[test]
fn whoever_only_looks_makes_no_file() {
    let folder = tempfile::tempdir().unwrap();
    assert!(TokenFile::existing(folder.path()).unwrap_err().to_string().contains("tokens.json"));
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
    TokenFile::open(folder.path()).unwrap();
    assert!(TokenFile::existing(folder.path()).unwrap().list().unwrap().is_empty());
}

/// As root alone: nobody else can give a file away.
#[test]
fn a_file_of_another_user_is_refused() {
    if !rustix::process::geteuid().is_root() {
        println!("not root: nothing is tested");
        return;
    }
    let (folder, file) = folder();
    let token = add(&file, Role::Operator);
    chown(file.path(), Some(4321), None).unwrap();
    let refused = file.list().unwrap_err();
    assert!(matches!(refused, TokenFileError::Foreign { owner: 4321, .. }), "{refused}");
    // Whoever owns the folder is whom the hub runs as.
    chown(folder.path(), Some(4321), None).unwrap();
    assert_eq!(file.list().unwrap()[0].id, token.id());
}

/// As root alone: nobody else can give a file away.
#[test]
fn what_root_writes_stays_the_hubs() {
    if !rustix::process::geteuid().is_root() {
        println!("not root: nothing is tested");
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    chown(folder.path(), Some(4321), Some(4322)).unwrap();
    let file = TokenFile::open(folder.path()).unwrap();
    add(&file, Role::Reader);
    for name in ["tokens.json", "tokens.json.lock"] {
        let metadata = fs::metadata(folder.path().join(name)).unwrap();
        assert_eq!((metadata.uid(), metadata.gid(), metadata.mode() & 0o777), (4321, 4322, 0o600), "{name}");
    }
}
