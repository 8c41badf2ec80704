//! Live updates over a connection that breaks.

use compartment_core::event::{Event, Heartbeat, Report, Said};
use compartment_core::sync::{Message, Publisher};
use compartment_core::{Commit, Fleet, HostId, ReadOptions, Record, Span, Timestamp};
use compartment_transport_http::client::{Connection, Endpoint, Live, Token, TokenSource, Update};
use futures::StreamExt;

use crate::hub::Hub;
use crate::machine::LIMIT;

/// A fleet that changes, and what its subscribers are sent.
struct Source {
    fleet: Fleet,
    publisher: Publisher,
    position: u64,
}

fn options() -> ReadOptions {
    ReadOptions::default()
}

impl Source {
    fn new() -> Self {
        let now = "2026-01-05T10:00:00Z".parse().unwrap();
        Self { fleet: Fleet::new(), publisher: Publisher::new(now), position: 0 }
    }

    fn now(&self) -> Timestamp {
        let start: Timestamp = "2026-01-05T10:00:00Z".parse().unwrap();
        start + Span::from_secs(self.position)
    }

    fn init(&self) -> (String, String) {
        sent(&self.publisher.init(&self.fleet, self.now(), &options()))
    }

    /// A host reports another commit.
    fn change(&mut self) -> (String, String) {
        self.position += 1;
        let commit = Commit::new(&format!("abcdef{}", self.position)).unwrap();
        let heartbeat = Heartbeat { commit: Some(commit).into(), ..Heartbeat::default() };
        let report = Report::new(HostId::new("gpc0").unwrap(), Said::Heartbeat(heartbeat));
        let record = Record { position: self.position, at: self.now(), event: Event::Report(report) };
        self.publisher.note(self.fleet.apply(&record));
        let delta = self.publisher.delta(&self.fleet, self.now(), &options()).unwrap();
        sent(&delta)
    }
}

fn sent(message: &Message) -> (String, String) {
    (format!("run-1.{}", message.cursor()), serde_json::to_string(message).unwrap())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_live_matrix_ends_equal_however_often_the_line_breaks() {
    let hub = Hub::start().await;
    let mut source = Source::new();
    let first = vec![source.init(), source.change()];
    let second = vec![source.change(), source.change()];
    // One is lost on the way: what follows it does not follow.
    let _lost = source.change();
    let gap = vec![source.change()];
    let last = vec![source.init(), source.change()];
    let ids: Vec<_> =
        [&first, &second].iter().map(|portion| portion.last().map(|(id, _)| id.clone())).collect();
    hub.told().live = vec![first, second, gap, last];

    let mut live = live(&hub);
    assert!(live.matrix(source.now(), &options()).is_none());
    let whole = source.fleet.matrix(source.now(), &options());
    let (mut lost, mut back) = (0, 0);
    let watch = async {
        while live.matrix(source.now(), &options()).as_ref() != Some(&whole) {
            match live.next().await.unwrap() {
                Update::Changed => {}
                Update::Lost(_) => lost += 1,
                Update::Back => back += 1,
            }
        }
    };
    tokio::time::timeout(LIMIT, watch).await.unwrap();
    assert_eq!((lost, back), (2, 2), "the gap is made up for in silence");
    assert_eq!(hub.told().resumed, [None, ids[0].clone(), ids[1].clone(), None]);
}

fn live(hub: &Hub) -> Live {
    let token = TokenSource::Given(Token::new("secret").unwrap());
    Live::new(Connection::new(Endpoint::new(&hub.url(), token).unwrap()).unwrap())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_connection_that_is_there_again_is_told_also_where_nothing_is_new() {
    let hub = Hub::start().await;
    let source = Source::new();
    // What is cut, and what stays open and says nothing.
    hub.told().live = vec![vec![source.init()], Vec::new()];
    let mut live = live(&hub);
    let mut told = Vec::new();
    let watch = async {
        while told.len() < 3 {
            told.push(live.next().await.unwrap());
        }
    };
    let hangs = tokio::time::timeout(LIMIT, watch).await.is_err();
    assert!(matches!(told[..], [Update::Changed, Update::Lost(_), Update::Back]), "{hangs} {told:?}");
    assert!(live.matrix(source.now(), &options()).is_some());
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_that_is_none_is_told_apart() {
    let hub = Hub::start().await;
    let token = TokenSource::Given(Token::new("secret").unwrap());
    let connection = Connection::new(Endpoint::new(&hub.url(), token.clone()).unwrap()).unwrap();
    let refused = connection.matrix(None).await.unwrap_err();
    assert_eq!(refused.status(), Some(404));
    assert!(refused.wants_people(), "{refused}");
    let nobody = Connection::new(Endpoint::new("http://127.0.0.1:9", token).unwrap()).unwrap();
    let refused = nobody.matrix(None).await.unwrap_err().to_string();
    assert!(refused.contains("cannot be reached") && refused.to_lowercase().contains("refused"), "{refused}");
}
