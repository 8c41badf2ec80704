//! Documents and words on the wire, and the hub's file of tokens, any bytes: what is read is what is written, and an
//! order or a request means what it says.

#![no_main]

use std::fmt::Debug;

use compartment_core::sync::Cursor;
use compartment_core::{HostId, Text};
use compartment_runtime::hub::LiveId;
// The files of tokens name it as the server does.
use compartment_transport_http::wire;
use compartment_transport_http::wire::events::Taken;
use compartment_transport_http::wire::orders::OrderLine;
use compartment_transport_http::wire::output::{Ended, Page, Printed};
use compartment_transport_http::wire::problem::{Code, Problem};
use compartment_transport_http::wire::reading::{Health, History, Rollback};
use compartment_transport_http::wire::requests::{Answers, Body};
use libfuzzer_sys::fuzz_target;
use serde::Serialize;
use serde::de::DeserializeOwned;

mod access;

use access::{Token, TokenId};

fuzz_target!(|data: &[u8]| {
    if let Some(order) = there_and_back::<OrderLine>(data) {
        means_itself(order);
    }
    if let Some(body) = there_and_back::<Body>(data) {
        asks_for_itself(&body);
    }
    for text in there_and_back::<Printed>(data).map(|printed| printed.lines).into_iter().flatten() {
        safe(&text);
    }
    for text in there_and_back::<Page>(data).map(|page| page.lines).into_iter().flatten() {
        safe(&text);
    }
    if let Some(problem) = there_and_back::<Problem>(data)
        && let Some(code) = problem.code()
    {
        assert_eq!(Problem::new(code, "").r#type, problem.r#type);
        assert!(Code::ALL.contains(&code));
    }
    there_and_back::<Taken>(data);
    there_and_back::<Answers>(data);
    there_and_back::<Ended>(data);
    there_and_back::<Health>(data);
    there_and_back::<History>(data);
    there_and_back::<Rollback>(data);
    access::file(data);
    if let Ok(text) = str::from_utf8(data) {
        words(text);
    }
});

fn there_and_back<T: DeserializeOwned + Serialize + PartialEq + Debug>(data: &[u8]) -> Option<T> {
    let read: T = serde_json::from_slice(data).ok()?;
    let written = serde_json::to_string(&read).expect("what was read can be written");
    match serde_json::from_str::<T>(&written) {
        Ok(again) => assert_eq!(again, read, "{written}"),
        Err(error) => panic!("{error}: {written}"),
    }
    Some(read)
}

fn host(name: &str) -> HostId {
    HostId::new(name).expect("valid")
}

fn means_itself(line: OrderLine) {
    let (kind, op, sent_at) = (line.kind, line.op.clone(), line.sent_at);
    // Whatever a hub says, the time that is left is a time.
    let _any = line.within();
    let Ok(order) = line.order(host("gpc0")) else { return };
    assert_eq!((order.ask.kind(), &order.op, order.ask.host()), (kind, &op, Some(&order.host)));
    let again = OrderLine::new(&order, sent_at).order(host("gpc0"));
    assert_eq!(again, Ok(order));
}

fn asks_for_itself(body: &Body) {
    let known = [host("a"), host("gpc0"), host("gpc1")];
    let Ok(asks) = body.asks(known.to_vec()) else { return };
    assert!(asks.iter().all(|ask| ask.kind() == body.kind));
    let asked: Vec<_> = asks.iter().filter_map(|ask| ask.host()).collect();
    if body.all {
        assert_eq!(asked, known.iter().collect::<Vec<_>>());
    } else {
        // A host that is named twice is asked once, where it is named first.
        let mut once: Vec<&HostId> = Vec::new();
        for host in &body.hosts {
            if !once.contains(&host) {
                once.push(host);
            }
        }
        assert_eq!(asked, once);
    }
    // One id is one operation.
    assert!(asks.len() <= 1 || body.op.is_none());
    assert!(asks.len() == asked.len() || asks.len() == 1 && asked.is_empty(), "{asks:?}");
}

fn safe(text: &Text) {
    assert!(text.as_str().len() <= Text::LIMIT && !text.as_str().contains(char::is_control), "{text:?}");
}

fn words(text: &str) {
    for text in [text, text.trim()] {
        if let Ok(cursor) = text.parse::<Cursor>() {
            assert_eq!(cursor.to_string().parse(), Ok(cursor));
        }
        if let Ok(id) = text.parse::<LiveId>() {
            assert_eq!(id.to_string().parse(), Ok(id));
        }
        if let Ok(id) = text.parse::<TokenId>() {
            assert_eq!(id.to_string(), text, "an id has one text");
        }
        match text.parse::<Token>() {
            Ok(token) => {
                assert_eq!(token.reveal(), text, "a token has one text");
                let secret = &text[text.len() - 64..];
                assert!(!format!("{token:?}").contains(secret), "it is shown once");
            }
            // It may be a secret, with a slip in it.
            Err(error) => assert_eq!(Err(error), "".parse::<Token>().map(drop), "it repeats nothing"),
        }
    }
}
