//! `POST /v1/hosts/{host}/token`: a code is exchanged once, for the token that the host has made.

use std::sync::Arc;

use compartment_core::{Span, Timestamp};
use compartment_runtime::Clock;
use compartment_runtime::hub::SystemClock;
use compartment_transport_http::client::{ClientError, Token as Shown};
use compartment_transport_http::client::{Connection, Endpoint, TokenSource};
use compartment_transport_http::server::AgentsConfig;
use compartment_transport_http::server::access::{Access, EnrolmentCode, Role, Token, TokenFile};
use compartment_transport_http::wire::Code;
use compartment_transport_http::wire::enrolment::Enrolled;
use serde_json::json;
use tempfile::TempDir;

use crate::world::{World, host, soon};

/// A hub with its tokens in a file, and nobody who has one but an operator.
struct Hub {
    world: World,
    file: TokenFile,
    _folder: TempDir,
}

impl Hub {
    async fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let file = TokenFile::open(folder.path()).unwrap();
        let operator = file.add(Role::Operator, "mba".parse().unwrap(), None, now()).unwrap().reveal();
        let access = Arc::new(Access::from_file(file.clone()).unwrap());
        let let_in = (access, Vec::new(), operator, String::new());
        let clock = Arc::new(SystemClock::default());
        let world = World::letting_in(let_in, clock, AgentsConfig::default(), None, None).await;
        Self { world, file, _folder: folder }
    }

    fn code(&self, minutes: u64) -> EnrolmentCode {
        let until = now() + Span::from_mins(minutes);
        self.file.add_code(host("gpc0"), until, None, now()).unwrap()
    }

    async fn exchange(&self, name: &str, shown: &str, token: &Token) -> Result<Enrolled, ClientError> {
        let shown = TokenSource::Given(Shown::new(shown).unwrap());
        let endpoint = Endpoint::new(&self.world.url(""), shown).unwrap();
        soon(Connection::new(endpoint).unwrap().enrol(&host(name), &token.offer())).await
    }

    async fn status(&self, path: &str, token: &str) -> u16 {
        let request = self.world.client.get(self.world.url(path)).bearer_auth(token);
        soon(request.send()).await.unwrap().status().as_u16()
    }
}

fn now() -> Timestamp {
    SystemClock::default().wall()
}

fn problem(refused: Result<Enrolled, ClientError>) -> (Code, String) {
    let ClientError::Problem(problem, _) = refused.unwrap_err() else { unreachable!("it was answered") };
    (problem.code().unwrap(), problem.detail)
}

#[tokio::test]
async fn a_code_is_exchanged_once_and_the_same_exchange_may_be_repeated() {
    let hub = Hub::new().await;
    let (code, token) = (hub.code(15), Token::generate().unwrap());
    assert_eq!(hub.status("/v1/hosts/gpc0/stream", &token.reveal()).await, 401, "nobody knows it yet");
    let enrolled = hub.exchange("gpc0", &code.reveal(), &token).await.unwrap();
    assert_eq!((enrolled.host, enrolled.id), (host("gpc0"), token.id().to_string()));
    assert_eq!(hub.status("/v1/hosts/gpc0/stream", &token.reveal()).await, 200);
    assert_eq!(hub.status("/v1/hosts/gpc1/stream", &token.reveal()).await, 403);
    assert_eq!(hub.status("/v1/matrix", &token.reveal()).await, 403);
    // The answer was lost: the host asks again.
    hub.exchange("gpc0", &code.reveal(), &token).await.unwrap();
    assert_eq!(hub.file.list().unwrap().len(), 2);

    // Somebody else has the code, too. That is said, and written down.
    let stolen = Token::generate().unwrap();
    for _ in 0..2 {
        let (code, detail) = problem(hub.exchange("gpc0", &code.reveal(), &stolen).await);
        assert_eq!(code, Code::CodeUsed);
        assert!(detail.contains("was used before") && detail.contains(&token.id().to_string()), "{detail}");
    }
    let [kept] = &hub.file.codes().unwrap()[..] else { unreachable!("one") };
    assert!(kept.tried_again_at.is_some() && kept.used.unwrap().token == token.id());
    assert_eq!(hub.status("/v1/hosts/gpc0/stream", &stolen.reveal()).await, 401);
    // With the same id and another secret it is another token.
    let other = json!({"id": token.id().to_string(), "sha256": "0".repeat(64)});
    let again = hub.world.client.post(hub.world.url("/v1/hosts/gpc0/token")).bearer_auth(code.reveal());
    assert_eq!(soon(again.json(&other).send()).await.unwrap().status().as_u16(), 409);
    // What was taken back does not come back.
    hub.file.revoke(token.id(), now()).unwrap();
    let (code, _) = problem(hub.exchange("gpc0", &code.reveal(), &token).await);
    assert_eq!((code, hub.file.list().unwrap().len()), (Code::CodeUsed, 1));
}

#[tokio::test]
async fn a_code_can_do_nothing_else_and_nothing_else_can_be_exchanged() {
    let hub = Hub::new().await;
    let (code, token) = (hub.code(15), Token::generate().unwrap());
    for path in ["/v1/matrix", "/v1/hosts/gpc0/stream", "/v1/hosts/gpc0/operations?session=a", "/metrics"] {
        assert_eq!(hub.status(path, &code.reveal()).await, 401, "{path}");
    }
    for shown in [&hub.world.operator, &token.reveal(), &EnrolmentCode::generate().unwrap().reveal()] {
        assert_eq!(problem(hub.exchange("gpc0", shown, &token).await).0, Code::Unauthorized);
    }
    let guessed = format!("cme_{}_{}", code.id(), "0".repeat(32));
    let (refused, detail) = problem(hub.exchange("gpc0", &guessed, &token).await);
    assert_eq!((refused, detail.contains("is not known")), (Code::Unauthorized, true));
    let (refused, detail) = problem(hub.exchange("gpc1", &code.reveal(), &token).await);
    assert!(refused == Code::Forbidden && detail.contains("for the host gpc0"), "{detail}");
    // None of that has used it up. Neither does what is no token, or has another's id.
    let page = hub.world.url("/v1/hosts/gpc0/token");
    let operator = hub.file.list().unwrap()[0].id.to_string();
    for (body, status) in [
        (json!({"id": "x", "sha256": "0".repeat(64)}), 400),
        (json!({"id": token.id().to_string(), "sha256": ""}), 400),
        (json!({"id": operator, "sha256": "0".repeat(64)}), 400),
        (json!({"id": token.id().to_string(), "sha256": "0".repeat(64), "role": "operator"}), 400),
        (json!([]), 400),
        (json!("x".repeat(5 << 20)), 413),
    ] {
        let asked = hub.world.client.post(&page).bearer_auth(code.reveal()).json(&body);
        assert_eq!(soon(asked.send()).await.unwrap().status().as_u16(), status);
    }
    assert_eq!(soon(hub.world.client.post(&page).send()).await.unwrap().status().as_u16(), 401);
    hub.exchange("gpc0", &code.reveal(), &token).await.unwrap();
}

#[tokio::test]
async fn a_code_that_has_expired_or_was_revoked_is_refused() {
    let hub = Hub::new().await;
    let token = Token::generate().unwrap();
    let expired = hub.file.add_code(host("gpc0"), now(), None, now()).unwrap();
    let (refused, detail) = problem(hub.exchange("gpc0", &expired.reveal(), &token).await);
    assert!(refused == Code::Unauthorized && detail.contains("expired at"), "{detail}");
    let revoked = hub.code(15);
    hub.file.revoke_code(revoked.id(), now()).unwrap();
    let (refused, detail) = problem(hub.exchange("gpc0", &revoked.reveal(), &token).await);
    assert!(refused == Code::Unauthorized && detail.contains("is not known"), "{detail}");
    assert_eq!(hub.file.list().unwrap().len(), 1);
}

/// Many at once with one code: one of them gets in.
#[tokio::test(flavor = "multi_thread")]
async fn of_those_who_show_a_code_at_once_one_gets_in() {
    let hub = Hub::new().await;
    let code = hub.code(15).reveal();
    let tokens: Vec<_> = (0..8).map(|_| Token::generate().unwrap()).collect();
    let asked = tokens.iter().map(|token| hub.exchange("gpc0", &code, token));
    let answers = futures::future::join_all(asked).await;
    assert_eq!(answers.iter().filter(|answer| answer.is_ok()).count(), 1);
    assert_eq!(hub.file.list().unwrap().len(), 2);
}

#[tokio::test]
async fn while_the_tokens_cannot_be_written_a_code_stays_as_it_is() {
    let hub = Hub::new().await;
    let (code, token) = (hub.code(15), Token::generate().unwrap());
    let text = std::fs::read(hub.file.path()).unwrap();
    std::fs::write(hub.file.path(), "{").unwrap();
    let refused = hub.exchange("gpc0", &code.reveal(), &token).await.unwrap_err();
    assert_eq!(refused.status(), Some(503), "{refused}");
    std::fs::write(hub.file.path(), text).unwrap();
    hub.exchange("gpc0", &code.reveal(), &token).await.unwrap();
}

/// Who sets an agent up is told once the agent is there.
#[tokio::test]
async fn a_host_is_online_once_its_agent_is_connected_and_was_heard() {
    let world = World::new().await;
    let connection = || {
        let shown = TokenSource::Given(Shown::new(world.token("gpc0")).unwrap());
        Connection::new(Endpoint::new(&world.url(""), shown).unwrap()).unwrap()
    };
    let online = async || soon(connection().streams_to(&host("gpc0"))).await.unwrap().online;
    assert_eq!(online().await, Some(false));
    let line = world.listens("gpc0", "one").await;
    assert_eq!(online().await, Some(false), "it has said nothing yet");
    let beat = "{\"type\":\"heartbeat\",\"host\":\"gpc0\",\"agent_version\":\"1.4.0\"}\n";
    let url = world.url("/v1/hosts/gpc0/events");
    let says = world.client.post(url).bearer_auth(world.token("gpc0")).header("compartment-session", "one");
    assert_eq!(soon(says.body(beat).send()).await.unwrap().status(), 200);
    assert_eq!(online().await, Some(true));
    drop(line);
    while online().await != Some(false) {
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
}
