//! What each role may do.

use compartment_core::HostId;
use compartment_transport_http::server::access::{Grant, Permission, Role, Token};

use crate::{at, host};

#[test]
fn each_role_may_do_what_is_its_own_and_nothing_else() {
    let (own, other): (HostId, HostId) = ("gpc0".parse().unwrap(), "gpc1".parse().unwrap());
    let asked = [Permission::Speak(&own), Permission::Speak(&other), Permission::Read, Permission::Request];
    for (role, expected) in [
        (host("gpc0"), [true, false, false, false]),
        (Role::Operator, [false, false, true, true]),
        (Role::Reader, [false, false, true, false]),
    ] {
        assert_eq!(asked.map(|permission| role.may(permission)), expected, "{role:?}");
    }
}

#[test]
fn a_refusal_says_whose_token_it_is_and_what_it_is_for() {
    let token = Token::generate().unwrap();
    let grant = Grant::new(&token, Role::Reader, "wall display".parse().unwrap(), at(0));
    let refusal = grant.may(Permission::Request).unwrap_err().to_string();
    let expected = format!(
        "the token {} (wall display) is for a reader, and may not request operations: use a token for that \
         (`compartment hub token add`)",
        token.id()
    );
    assert_eq!(refusal, expected);
}
