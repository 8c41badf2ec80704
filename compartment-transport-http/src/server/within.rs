//! A way to a hub in the same process, without a socket: the same pages, the same tokens, the same answers.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;

use async_trait::async_trait;
use axum::Router;
use axum::extract::ConnectInfo;
use axum::http::{Request, Response};
use compartment_runtime::hub::Hub;
use reqwest::Body;
use tower_service::Service;

use super::access::Token;
use super::{Agents, router};
use crate::client::{Connection, Pages, Token as Secret};

/// A way to the pages of a hub in this process, for who has `token`. Requests run where they are awaited, which has to be in the
/// tokio runtime that the hub runs in.
#[must_use]
pub fn within(hub: Hub, agents: Agents, token: &Token) -> Connection {
    let token = Secret::new(&token.reveal()).expect("what is issued is a token");
    Connection::within(Arc::new(Routes(router(hub, agents))), token)
}

struct Routes(Router);

#[async_trait]
impl Pages for Routes {
    async fn answer(&self, request: Request<Body>) -> Response<Body> {
        let mut request = request.map(axum::body::Body::new);
        let here = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        request.extensions_mut().insert(ConnectInfo(here));
        // It is always ready, and cannot fail.
        let Ok(response) = self.0.clone().call(request).await;
        response.map(|body| Body::wrap_stream(body.into_data_stream()))
    }
}
