//! What changes between two `flake.lock` files, as people want to see it before they merge.

mod tree;

use std::collections::BTreeMap;

use compartment_core::Text;
use compartment_runtime::InputChange;

use tree::{Input, Tree};

/// Why a lock could not be read.
#[derive(Debug, thiserror::Error)]
pub enum LockError {
    /// It is no JSON of the form that locks have.
    #[error("flake.lock cannot be read: {0}")]
    Malformed(#[from] serde_json::Error),
    /// A version that is not known here.
    #[error("flake.lock has version {0}; 5 to 7 are known")]
    Version(u32),
    /// It names a node that it does not have.
    #[error("flake.lock names an input `{0}` that it does not have")]
    Missing(Text),
    /// It has more inputs than anybody could look at.
    #[error("flake.lock has more than {} inputs", tree::INPUTS_LIMIT)]
    TooMany,
}

/// The inputs that differ between two locks, by name: nested ones too. An absent lock has none.
///
/// An input that follows another is listed where what it follows changes, or where it begins or ceases to follow;
/// that the followed input itself moves is said once, there.
///
/// # Errors
/// [`LockError`] where one of them cannot be read.
pub fn changes(before: Option<&[u8]>, after: Option<&[u8]>) -> Result<Vec<InputChange>, LockError> {
    let read = |lock: Option<&[u8]>| lock.map_or_else(|| Ok(Tree::default()), Tree::read);
    let (before, after) = (read(before)?.inputs, read(after)?.inputs);
    let names: BTreeMap<&str, ()> =
        before.keys().chain(after.keys()).map(|name| (name.as_str(), ())).collect();
    let changed = names.into_keys().filter_map(|name| {
        let (from, to) = (before.get(name), after.get(name));
        let same = match (from, to) {
            (Some(Input { follows: Some(from), .. }), Some(Input { follows: Some(to), .. })) => from == to,
            _ => from.map(|input| &input.pin) == to.map(|input| &input.pin),
        };
        let pin = |input: Option<&Input>| input.and_then(|input| input.pin.clone());
        (!same).then(|| InputChange { input: Text::new(name), from: pin(from), to: pin(to) })
    });
    Ok(changed.collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A lock whose root has `nixpkgs` at a revision and `home`, whose own `nixpkgs` is `inner`.
    fn lock(rev: &str, inner: &str) -> String {
        format!(
            r#"{{"version":7,"root":"root","nodes":{{
                "root":{{"inputs":{{"nixpkgs":"nixpkgs","home":"home"}}}},
                "home":{{"inputs":{{"nixpkgs":{inner}}},
                    "locked":{{"type":"github","owner":"o","repo":"home","rev":"aaaa","lastModified":1700000000}},
                    "original":{{"type":"github","owner":"o","repo":"home"}}}},
                "nixpkgs":{{"locked":{{"type":"github","owner":"NixOS","repo":"nixpkgs","rev":"{rev}"}},
                    "original":{{"type":"github","owner":"NixOS","repo":"nixpkgs","ref":"nixos-unstable"}}}},
                "other":{{"locked":{{"type":"tarball","url":"https://x.example/y.tar.gz","narHash":"sha256-z"}}}}}}}}"#
        )
    }

    fn told(before: Option<&str>, after: Option<&str>) -> Vec<String> {
        let changes = changes(before.map(str::as_bytes), after.map(str::as_bytes)).unwrap();
        let pin = |pin: &Option<compartment_runtime::Pin>| match pin {
            None => "nothing".to_owned(),
            Some(pin) => {
                let revision = pin.revision.as_ref().map_or("?", |revision| revision.as_str());
                format!("{}@{revision}", pin.source)
            }
        };
        changes.iter().map(|c| format!("{}: {} -> {}", c.input, pin(&c.from), pin(&c.to))).collect()
    }

    #[test]
    fn what_moves_is_said_once_where_others_follow_it() {
        let (before, after) = (lock("1111", r#"["nixpkgs"]"#), lock("2222", r#"["nixpkgs"]"#));
        assert_eq!(
            told(Some(&before), Some(&after)),
            ["nixpkgs: github:NixOS/nixpkgs/nixos-unstable@1111 -> github:NixOS/nixpkgs/nixos-unstable@2222"]
        );
        assert_eq!(told(Some(&before), Some(&before)), [""; 0]);
    }

    #[test]
    fn an_input_that_ceases_to_follow_is_told() {
        let (before, after) = (lock("1111", r#"["nixpkgs"]"#), lock("1111", r#""other""#));
        assert_eq!(
            told(Some(&before), Some(&after)),
            ["home/nixpkgs: github:NixOS/nixpkgs/nixos-unstable@1111 -> https://x.example/y.tar.gz@sha256-z"]
        );
    }

    #[test]
    fn a_first_lock_has_only_new_inputs_and_the_date_of_each() {
        let first = lock("1111", "[]");
        assert_eq!(told(None, Some(&first)).len(), 3);
        let changes = changes(None, Some(first.as_bytes())).unwrap();
        let home = changes.iter().find(|change| change.input.as_str() == "home").unwrap();
        let modified = home.to.as_ref().unwrap().modified.unwrap();
        assert_eq!(modified.to_string(), "2023-11-14T22:13:20Z");
        let followed = changes.iter().find(|change| change.input.as_str() == "home/nixpkgs").unwrap();
        assert_eq!(followed.to, None, "`follows = \"\"` leads nowhere");
    }

    #[test]
    fn what_is_no_lock_is_refused_in_words() {
        let refused = |lock: &str| changes(None, Some(lock.as_bytes())).unwrap_err().to_string();
        assert!(refused("{}").starts_with("flake.lock cannot be read: missing field"));
        assert_eq!(
            refused(r#"{"version":8,"root":"r","nodes":{}}"#),
            "flake.lock has version 8; 5 to 7 are known"
        );
        assert_eq!(
            refused(r#"{"version":7,"root":"r","nodes":{"r":{"inputs":{"a":"b"}}}}"#),
            "flake.lock names an input `b` that it does not have"
        );
        let circle = r#"{"version":7,"root":"r","nodes":{"r":{"inputs":{"a":["b"],"b":["a"]}}}}"#;
        assert_eq!(told(None, Some(circle)), ["a: nothing -> nothing", "b: nothing -> nothing"]);
        let nested = r#"{"version":7,"root":"r","nodes":{"r":{"inputs":{"a":"r","b":"r"}}}}"#;
        assert_eq!(refused(nested), "flake.lock has more than 10000 inputs");
    }
}
