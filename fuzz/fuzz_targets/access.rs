//! The texts of tokens and the file that keeps them, as they are in the server: built by itself, as the whole server
//! would take minutes here.

#[path = "../../compartment-transport-http/src/server/access/code.rs"]
#[expect(dead_code, reason = "the rest is the server's")]
mod code;
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
    let Ok(kept) = stored::decode(data) else { return };
    let written = stored::encode(&kept).expect("what was read can be written");
    let Ok(again) = stored::decode(&written) else { panic!("{}", String::from_utf8_lossy(&written)) };
    let grants =
        |kept: &stored::Contents| kept.tokens.iter().map(|entry| entry.grant.clone()).collect::<Vec<_>>();
    assert_eq!((grants(&kept), kept.codes.len()), (grants(&again), again.codes.len()));
    assert_eq!(stored::encode(&again).expect("as before"), written, "their hashes, too");
}
