//! Enrolment codes in the file of tokens.

use std::fs;

use compartment_transport_http::server::access::{
    Access, Denied, EnrolmentCode, Role, TokenFile, TokenFileError,
};

use crate::{add, at, folder};

#[test]
fn a_code_is_kept_hashed_beside_the_tokens() {
    let (folder, file) = folder();
    add(&file, Role::Reader);
    let code = file.add_code("gpc0".parse().unwrap(), at(900), Some(at(9000)), at(0)).unwrap();
    let text = fs::read_to_string(file.path()).unwrap();
    assert!(!text.contains(&code.reveal()[21..]), "{text}");
    let json: serde_json::Value = serde_json::from_str(&text).unwrap();
    assert_eq!(json["version"], 2);
    let mut entry = json["codes"][0].clone();
    assert_eq!(entry["sha256"].take().as_str().map(str::len), Some(64));
    let expected = serde_json::json!({
        "enrolment": {
            "id": code.id().to_string(),
            "host": "gpc0",
            "created_at": "2026-01-05T10:00:00Z",
            "expires_at": "2026-01-05T10:15:00Z",
            "token_expires_at": "2026-01-05T12:30:00Z",
        },
        "sha256": null,
    });
    assert_eq!(entry, expected);
    let [kept] = &TokenFile::open(folder.path()).unwrap().codes().unwrap()[..] else { unreachable!("one") };
    assert_eq!((kept.id, kept.host.as_str(), kept.used), (code.id(), "gpc0", None));
}

/// Programs that know no codes read a file that has none any more.
#[test]
fn a_file_without_codes_is_of_the_format_before() {
    let (_folder, file) = folder();
    let version = || {
        let json: serde_json::Value = serde_json::from_slice(&fs::read(file.path()).unwrap()).unwrap();
        json["version"].as_u64().unwrap()
    };
    assert_eq!(version(), 1);
    let code = file.add_code("gpc0".parse().unwrap(), at(900), None, at(0)).unwrap();
    assert_eq!(version(), 2);
    file.revoke_code(code.id(), at(1)).unwrap();
    assert_eq!(version(), 1);
    let refused = file.revoke_code(code.id(), at(1)).unwrap_err();
    assert!(matches!(refused, TokenFileError::Missing(id) if id == code.id()), "{refused}");
    // It is remembered for a month after its end.
    let code = file.add_code("gpc0".parse().unwrap(), at(900), None, at(0)).unwrap();
    let month = 30 * 24 * 60 * 60;
    for (now, kept) in [(month + 899, 1), (month + 900, 0)] {
        file.add(Role::Reader, "a".parse().unwrap(), None, at(now)).unwrap();
        assert_eq!(file.codes().unwrap().len(), kept, "{}", code.id());
    }
    assert_eq!(version(), 1);
}

#[test]
fn what_is_wrong_with_codes_in_the_file_is_said() {
    let (_folder, file) = folder();
    file.add_code("gpc0".parse().unwrap(), at(900), None, at(0)).unwrap();
    let good = fs::read_to_string(file.path()).unwrap();
    let json: serde_json::Value = serde_json::from_str(&good).unwrap();
    let mut twice = json.clone();
    twice["codes"] = serde_json::json!([json["codes"][0], json["codes"][0]]);
    for (text, said) in [
        (good.replace("\"version\": 2", "\"version\": 1"), "there are no `codes` in version 1"),
        (good.replace("\"host\"", "\"hots\""), "unknown field `hots`"),
        (twice.to_string(), "is in it twice"),
    ] {
        assert_ne!(text, good);
        fs::write(file.path(), &text).unwrap();
        let refused = file.codes().unwrap_err().to_string();
        assert!(refused.contains(said), "{refused}");
    }
}

#[test]
fn a_code_is_no_token_and_is_never_printed() {
    let (_folder, file) = folder();
    let code = file.add_code("gpc0".parse().unwrap(), at(900), None, at(0)).unwrap();
    let access = Access::from_file(file).unwrap();
    assert_eq!(access.authenticate(&code.reveal(), at(1)), Err(Denied::Malformed));
    assert!(!access.still_valid(&code.id(), at(1)) && !access.speaks_for(&"gpc0".parse().unwrap()));
    assert!(!format!("{code:?}").contains(&code.reveal()[21..]));
    let text = code.reveal();
    assert_eq!((text.len(), text.parse::<EnrolmentCode>().unwrap().id()), (53, code.id()));
    let changed =
        [text.to_uppercase(), text[..52].to_owned(), format!("{text}0"), text.replace("cme", "cmp")];
    for bad in changed.iter().map(String::as_str).chain(["", "cme_", "cme__", "cme_x_y", "cme_ü_"]) {
        let refused = bad.parse::<EnrolmentCode>().unwrap_err().to_string();
        assert!(refused.contains("enrolment code"), "{refused}");
        assert!(!refused.contains(&text[21..]), "{refused}");
    }
}
