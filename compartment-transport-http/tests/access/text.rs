//! The text of a token.

use compartment_transport_http::server::access::{Access, Denied, Grant, Role, Token, TokenId};
use proptest::prelude::*;

use crate::at;

#[test]
fn a_token_is_read_back_from_its_text() {
    let token = Token::generate().unwrap();
    let text = token.reveal();
    let read: Token = text.parse().unwrap();
    assert_eq!(read.reveal(), text);
    assert_eq!(read.id(), token.id());
    assert_eq!(token.id().to_string().parse::<TokenId>(), Ok(token.id()));
    assert!(text.starts_with(&format!("cmp_{}_", token.id())) && text.len() == 85, "{}", text.len());
}

#[test]
fn no_two_tokens_are_the_same() {
    let (a, b) = (Token::generate().unwrap(), Token::generate().unwrap());
    assert_ne!(a.id(), b.id());
    assert_ne!(a.reveal()[21..], b.reveal()[21..]);
}

#[test]
fn what_holds_a_secret_does_not_print_it() {
    let token = Token::generate().unwrap();
    let secret = token.reveal()[21..].to_owned();
    let grant = Grant::new(&token, Role::Operator, "alice".parse().unwrap(), at(0));
    let access = Access::in_memory(vec![(token.clone(), grant.clone())]);
    for printed in
        [format!("{token:?}"), format!("{grant:?}"), format!("{access:?}"), format!("{:?}", Some(&token))]
    {
        assert!(!printed.contains(&secret[..8]), "{printed}");
        assert!(printed.contains(&token.id().to_string()), "{printed}");
    }
    let cut = &token.reveal()[..84];
    let refusal = cut.parse::<Token>().unwrap_err().to_string();
    assert!(!refusal.contains(&secret[..8]), "{refusal}");
}

#[test]
fn a_token_has_one_text() {
    let text = Token::generate().unwrap().reveal();
    let (upper, long, space) = (text.to_uppercase(), format!("{text}0"), format!(" {text}"));
    let moved = format!("cmp_{}_{}", &text[4..19], &text[19..].replace('_', ""));
    for bad in
        ["", "cmp_", "cmp__", &text[..84], &text[1..], &upper, &long, &space, &moved, &text.replace('_', "-")]
    {
        assert!(bad.parse::<Token>().is_err(), "{bad}");
    }
}

proptest! {
    #[test]
    fn any_text_is_taken_or_refused(text in any::<String>()) {
        let access = Access::in_memory(Vec::new());
        prop_assert_eq!(access.authenticate(&text, at(0)), Err(Denied::Malformed));
        prop_assert!(text.parse::<TokenId>().is_err());
    }

    #[test]
    fn what_is_nearly_a_token_is_read_as_what_it_is(text in "cmp_[0-9a-fA-F_é]{14,17}_[0-9a-f]{62,65}") {
        if let Ok(token) = text.parse::<Token>() {
            prop_assert_eq!(token.reveal(), text);
        }
    }

    #[test]
    fn every_token_of_the_right_shape_is_read(text in "cmp_[0-9a-f]{16}_[0-9a-f]{64}") {
        prop_assert_eq!(text.parse::<Token>().unwrap().reveal(), text);
    }
}
