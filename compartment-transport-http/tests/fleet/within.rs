//! A hub in the same process answers without a socket, and as it does with one.

use std::sync::Arc;
use std::time::Duration;

use compartment_core::HostId;
use compartment_core::event::{RequestKind, TestsConfig};
use compartment_core::sync::Message;
use compartment_runtime::Clock;
use compartment_runtime::hub::{Config, Configuration, Hub, MemoryLog, Ports, SystemClock};
use compartment_transport_http::server::access::{Access, Grant, Role, Token};
use compartment_transport_http::server::{Agents, AgentsConfig, within};
use compartment_transport_http::wire::requests::Body;
use futures::StreamExt;

#[tokio::test]
async fn the_pages_of_a_hub_are_the_same_without_a_socket() {
    let now = SystemClock::default().wall();
    let issue = |role: Role| {
        let token = Token::generate().unwrap();
        (token.clone(), Grant::new(&token, role, "mba".parse().unwrap(), now))
    };
    let (operator, reader) = (issue(Role::Operator), issue(Role::Reader));
    let tokens = vec![operator.clone(), reader.clone()];
    let agents = Agents::new(
        Arc::new(Access::in_memory(tokens)),
        Arc::new(SystemClock::default()),
        AgentsConfig::default(),
    );
    let ports =
        Ports { transports: vec![Arc::new(agents.clone())], ..Ports::new(Arc::new(MemoryLog::default())) };
    let hub = Hub::start(ports, Config::default()).await.unwrap();
    let host = HostId::new("gpc0").unwrap();
    let configured = Configuration { tests: TestsConfig::default(), ..Configuration::default() };
    hub.configure(host.clone(), configured).await.unwrap();
    let [operator, reader] = [operator.0, reader.0].map(|token| within(hub.clone(), agents.clone(), &token));
    let nobody = within(hub.clone(), agents.clone(), &Token::generate().unwrap());

    assert_eq!(operator.matrix(None).await.unwrap().hosts[0].host, host);
    assert_eq!(nobody.matrix(None).await.unwrap_err().status(), Some(401), "tokens count here, too");
    let unknown = operator.host(&HostId::new("nobody").unwrap()).await.unwrap_err();
    assert_eq!(unknown.status(), Some(404));
    let body = Body::on(RequestKind::Pull, vec![host.clone()]);
    assert_eq!(reader.request(&body).await.unwrap_err().status(), Some(403));
    let asked = operator.request(&body).await.unwrap().operations;
    assert!(asked[0].refused.is_none(), "{asked:?}");

    // Streams go on, and end with the hub.
    let mut live = reader.live(None).await.unwrap();
    let next = async |live: &mut futures::stream::BoxStream<'static, _>| {
        tokio::time::timeout(Duration::from_secs(20), live.next()).await.unwrap()
    };
    assert!(matches!(next(&mut live).await, Some(Ok((_, Message::Init { .. })))));
    hub.configure(HostId::new("gpc1").unwrap(), Configuration::default()).await.unwrap();
    assert!(matches!(next(&mut live).await, Some(Ok((_, Message::Delta { .. })))));
    hub.shutdown().await;
    while let Some(Ok(_)) = next(&mut live).await {}
}
