//! What a hub sends down, any bytes: server-sent events, of which those with a name may be live updates. However they
//! are cut it is the same; no hub, however hostile, makes a subscriber panic or keep more than it was sent.

#![no_main]

use std::sync::LazyLock;
use std::time::Duration;

use compartment_core::sync::{Cursor, Message, Replica};
use compartment_core::{Matrix, ReadOptions, Timestamp};
use compartment_runtime::hub::LiveId;
use compartment_transport_http::wire;
use futures::StreamExt;
use futures::stream;
use libfuzzer_sys::fuzz_target;
use tokio::runtime::{Builder, Runtime};

mod client;

use client::{ClientError, Event, Limits, events};

static RUNTIME: LazyLock<Runtime> =
    LazyLock::new(|| Builder::new_current_thread().enable_time().build().expect("a runtime"));

fuzz_target!(|data: &[u8]| {
    // The small limit lets short inputs hold events that are too large.
    for limit in [64, 1 << 20] {
        let (read, error) = read([data], limit);
        // Long ones take long like that, and show nothing that short ones do not.
        if data.len() <= 256 {
            same((&read, &error), &self::read(data.chunks(1), limit));
        }
        same((&read, &error), &self::read(pieces(data), limit));
        for event in &read {
            let Event { event, data, id, .. } = event;
            // An event without an id has that of the one before it, which counted there.
            assert!(event.len() + data.len() <= limit && id.len() <= limit, "{event} {id} {data}");
        }
        if limit > 64 {
            follow(&read);
        }
    }
});

type Read = (Vec<Event>, Option<ClientError>);

fn read<'a>(pieces: impl IntoIterator<Item = &'a [u8]>, limit: usize) -> Read {
    let limits = Limits { idle: Duration::from_secs(60), event: limit };
    let pieces: Vec<_> = pieces.into_iter().map(|piece| Ok(piece.to_vec())).collect();
    RUNTIME.block_on(async {
        let mut events = events(stream::iter(pieces), limits);
        let (mut read, mut error) = (Vec::new(), None);
        while let Some(event) = events.next().await {
            assert!(error.is_none(), "nothing comes after an error");
            match event {
                Ok(event) => read.push(event),
                Err(wrong) => error = Some(wrong),
            }
        }
        (read, error)
    })
}

/// What came before an error may have been lost with it.
fn same((one, one_error): (&Vec<Event>, &Option<ClientError>), (other, other_error): &Read) {
    assert_eq!(one_error.is_some(), other_error.is_some(), "{one:?} {other:?} {one_error:?} {other_error:?}");
    if one_error.is_none() {
        assert_eq!(one, other);
    } else {
        assert!(one.starts_with(other) || other.starts_with(one), "{one:?} {other:?}");
    }
}

/// Pieces of all sizes up to 63 bytes, as the data itself says: every crash can be repeated.
fn pieces(mut data: &[u8]) -> impl Iterator<Item = &[u8]> {
    std::iter::from_fn(move || {
        let size = usize::from(data.first()? % 64).clamp(1, data.len());
        let (piece, rest) = data.split_at(size);
        data = rest;
        Some(piece)
    })
}

fn follow(events: &[Event]) {
    let mut replica = Replica::new();
    for event in events {
        if let Ok(id) = event.id.parse::<LiveId>() {
            assert_eq!(id.to_string().parse(), Ok(id));
        }
        let Ok(message) = serde_json::from_str::<Message>(&event.data) else { continue };
        let written = serde_json::to_string(&message).expect("what was read can be written");
        match serde_json::from_str::<Message>(&written) {
            Ok(again) => assert_eq!(again, message, "{written}"),
            Err(error) => panic!("{error}: {written}"),
        }
        take(&mut replica, message);
    }
}

fn shown(replica: &Replica) -> Option<Matrix> {
    replica.matrix(Timestamp::MIN, &ReadOptions::default())
}

/// The full state, and what follows, counts; what is known changes nothing, and what leaves a gap neither.
fn take(replica: &mut Replica, message: Message) {
    let (before, cursor, got) = (shown(replica), replica.cursor(), message.cursor());
    let known = before.as_ref().map_or(0, |matrix| matrix.hosts.len());
    let most = match &message {
        Message::Init { matrix, .. } => matrix.hosts.len(),
        Message::Delta { rows, .. } => known + rows.len(),
        Message::Sync { .. } => known,
    };
    match replica.take(message.clone()) {
        Err(gap) => {
            assert_eq!((gap.have, gap.got), (cursor, got));
            assert!(!matches!(message, Message::Init { .. }) && cursor.is_none_or(|have| got > have));
            assert_eq!((shown(replica), replica.cursor()), (before, cursor));
            return;
        }
        Ok(())
            if replica.cursor() != Some(got)
                || cursor == Some(got) && !matches!(message, Message::Init { .. }) =>
        {
            assert!(cursor.is_some_and(|have| got <= have), "only what is known is passed over");
            assert_eq!((shown(replica), replica.cursor()), (before, cursor));
        }
        Ok(()) => {
            let next = |have: Cursor| match message {
                Message::Init { .. } => true,
                Message::Delta { .. } => {
                    got.beacon == have.beacon && Some(got.version) == have.version.checked_add(1)
                }
                Message::Sync { .. } => {
                    got.version == have.version && Some(got.beacon) == have.beacon.checked_add(1)
                }
            };
            assert!(matches!(message, Message::Init { .. }) || cursor.is_some_and(next));
        }
    }
    let after = shown(replica);
    assert!(after.as_ref().is_some_and(|matrix| matrix.hosts.len() <= most), "no more than was sent");
    let cursor = replica.cursor();
    assert_eq!(replica.take(message), Ok(()), "once more");
    assert_eq!((shown(replica), replica.cursor()), (after, cursor));
}
