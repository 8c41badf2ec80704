//! The texts of tokens and the file that keeps them, as they are in the server: built by itself, as the whole server
//! would take minutes here.

#[path = "../../compartment-transport-http/src/server/access/grant.rs"]
#[expect(dead_code, reason = "the rest is the server's")]
mod grant;
#[path = "../../compartment-transport-http/src/server/access/stored.rs"]
#[expect(dead_code, reason = "the rest is the server's")]
mod stored;
#[path = "../../compartment-transport-http/src/server/access/token.rs"]
#[expect(dead_code, reason = "the rest is the server's")]
mod token;

pub use token::{Token, TokenId};

/// What is in the file of tokens stays in it.
pub fn file(data: &[u8]) {
    let Ok(entries) = stored::decode(data) else { return };
    let written = stored::encode(&entries).expect("what was read can be written");
    let Ok(again) = stored::decode(&written) else { panic!("{}", String::from_utf8_lossy(&written)) };
    let grants =
        |entries: &[stored::Entry]| entries.iter().map(|entry| entry.grant.clone()).collect::<Vec<_>>();
    assert_eq!(grants(&entries), grants(&again));
    assert_eq!(stored::encode(&again).expect("as before"), written, "their hashes, too");
}
