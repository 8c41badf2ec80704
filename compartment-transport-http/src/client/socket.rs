//! The only file here that touches the network, or a hub in this very process.

use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::Duration;

use compartment_core::Text;
use compartment_web::{ReadError, bearer, read};
use futures::stream::{BoxStream, StreamExt};
use reqwest::header::{AUTHORIZATION, CONTENT_TYPE, HeaderValue, RETRY_AFTER};
use reqwest::{Client, ClientBuilder, Method, Request, Response, StatusCode};
use url::Url;

use super::sse::{self, Limits};
use super::{ClientError, Endpoint, EndpointError, Token, TokenError, TokenSource};
use crate::wire::{NOTICE_HEADER, Problem};

/// How long the head of an answer that never ends may take.
const HEAD: Duration = Duration::from_secs(30);

/// The largest error that is read, in bytes.
const PROBLEM_LIMIT: usize = 64 << 10;

/// How many notices are read.
const NOTICES_LIMIT: usize = 100;

/// The longest wait that a hub may ask for.
const LONGEST_WAIT: Duration = Duration::from_secs(600);

/// A way to a hub. Cheap to clone; clones share connections.
#[derive(Clone)]
pub struct Connection {
    way: Way,
    base: Url,
    token: Arc<Held>,
    notices: Arc<Mutex<Vec<Text>>>,
}

/// How a request gets to the hub.
#[derive(Clone)]
enum Way {
    Network(Client),
    /// To a hub in this process: its pages, without a socket.
    #[cfg(feature = "server")]
    Within(Arc<dyn Pages>),
}

/// The pages of a hub in this process.
#[cfg(feature = "server")]
#[async_trait::async_trait]
pub(crate) trait Pages: Send + Sync + 'static {
    /// Answers a request. It is never refused by the network.
    async fn answer(&self, request: http::Request<reqwest::Body>) -> http::Response<reqwest::Body>;
}

/// The token, and where to look for the next one.
struct Held {
    source: TokenSource,
    header: RwLock<HeaderValue>,
}

/// What is asked.
pub(super) struct Ask<'a> {
    pub(super) method: Method,
    /// The parts of the path, unescaped.
    pub(super) path: &'a [&'a str],
    pub(super) query: Vec<(&'static str, String)>,
    pub(super) header: Option<(&'static str, String)>,
    /// Its media type, and the bytes.
    pub(super) body: Option<(&'static str, Vec<u8>)>,
    /// How long all of it may take.
    pub(super) within: Duration,
    /// How large the answer may be, in bytes.
    pub(super) limit: usize,
}

impl<'a> Ask<'a> {
    pub(super) const fn get(path: &'a [&'a str]) -> Self {
        let (within, limit) = (Duration::from_secs(60), 256 << 20);
        Self { method: Method::GET, path, query: Vec::new(), header: None, body: None, within, limit }
    }

    pub(super) fn post(path: &'a [&'a str], media_type: &'static str, body: Vec<u8>) -> Self {
        let (within, limit) = (Duration::from_secs(30), 4 << 20);
        Self { method: Method::POST, body: Some((media_type, body)), within, limit, ..Self::get(path) }
    }
}

impl std::fmt::Debug for Connection {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Connection").field("hub", &self.base.as_str()).finish_non_exhaustive()
    }
}

impl Connection {
    /// Prepares the way to a hub. Nothing is sent yet, and the hub need not be there.
    ///
    /// # Errors
    /// [`EndpointError`]: an address that is none or may not be used, no token, or certificates that cannot be read.
    pub fn new(endpoint: Endpoint) -> Result<Self, EndpointError> {
        endpoint.check()?;
        let header = RwLock::new(header(&endpoint.token.read()?)?);
        // What was a connection and is none any more is noticed, also where many requests share it.
        let alive = |http: ClientBuilder| {
            let often = Duration::from_secs(10);
            http.http2_keep_alive_interval(often).http2_keep_alive_timeout(often)
        };
        let http = compartment_web::client(&endpoint.url, endpoint.certificates()?, alive)
            .map_err(EndpointError::Tls)?;
        let token = Arc::new(Held { source: endpoint.token, header });
        Ok(Self { way: Way::Network(http), base: endpoint.url, token, notices: Arc::default() })
    }

    /// A way to a hub in this process.
    #[cfg(feature = "server")]
    pub(crate) fn within(pages: Arc<dyn Pages>, token: Token) -> Self {
        let base = Url::parse("http://localhost/").expect("this is an address");
        let header = RwLock::new(header(&token).expect("a token can be sent: `Token::new` sees to that"));
        let token = Arc::new(Held { source: TokenSource::Given(token), header });
        Self { way: Way::Within(pages), base, token, notices: Arc::default() }
    }

    /// The address of the hub.
    #[must_use]
    pub fn hub(&self) -> &Url {
        &self.base
    }

    /// What people should know of the hub, whatever they look at, as its last answer said: that its disk is nearly full,
    /// say. Live updates bring it, too.
    #[must_use]
    pub fn notices(&self) -> Vec<Text> {
        self.notices.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(super) fn notice(&self, notices: Vec<Text>) {
        *self.notices.lock().unwrap_or_else(PoisonError::into_inner) = notices;
    }

    /// Asks, and reads the whole answer. Answers with these other statuses are answers, too.
    pub(super) async fn call(&self, ask: Ask<'_>, also: &[u16]) -> Result<(u16, Vec<u8>), ClientError> {
        let (within, limit) = (ask.within, ask.limit);
        let whole = async {
            let response = self.send(ask).await?;
            let status = response.status();
            // An answer and a problem may share a status; they differ by what they are.
            let fine = status.is_success() || also.contains(&status.as_u16()) && !is_problem(&response);
            if !fine {
                return Err(refused(response).await);
            }
            Ok((status.as_u16(), read(response, limit).await?))
        };
        tokio::time::timeout(within, whole).await.unwrap_or_else(|_| Err(late(within)))
    }

    /// Asks for events, and gives them as they come.
    pub(super) async fn listen(
        &self,
        ask: Ask<'_>,
        limits: Limits,
    ) -> Result<BoxStream<'static, Result<eventsource_stream::Event, ClientError>>, ClientError> {
        let head = async {
            let response = self.send(ask).await?;
            if response.status().is_success() { Ok(response) } else { Err(refused(response).await) }
        };
        let response = tokio::time::timeout(HEAD, head).await.unwrap_or_else(|_| Err(late(HEAD)))?;
        let media_type = response.headers().get(CONTENT_TYPE).and_then(|value| value.to_str().ok());
        if !media_type.is_some_and(|value| value.starts_with("text/event-stream")) {
            return Err(ClientError::answer("it is no stream of events"));
        }
        let bytes = response.bytes_stream();
        let bytes = bytes.map(|part| part.map_err(|error| ClientError::unreachable(&error.without_url())));
        Ok(sse::events(bytes, limits))
    }

    async fn send(&self, ask: Ask<'_>) -> Result<Response, ClientError> {
        let mut url = self.base.clone();
        if let Ok(mut segments) = url.path_segments_mut() {
            segments.pop_if_empty().extend(ask.path);
        }
        if !ask.query.is_empty() {
            url.query_pairs_mut().extend_pairs(ask.query);
        }
        let shown = self.token.header.read().unwrap_or_else(PoisonError::into_inner).clone();
        let mut request = Request::new(ask.method, url);
        let headers = request.headers_mut();
        headers.insert(AUTHORIZATION, shown.clone());
        if let Some((name, value)) = ask.header {
            let value = HeaderValue::from_str(&value);
            headers.insert(name, value.map_err(|_| ClientError::answer("what is asked cannot be sent"))?);
        }
        if let Some((media_type, bytes)) = ask.body {
            headers.insert(CONTENT_TYPE, HeaderValue::from_static(media_type));
            *request.body_mut() = Some(bytes.into());
        }
        let response = match &self.way {
            Way::Network(http) => http.execute(request).await,
            #[cfg(feature = "server")]
            Way::Within(pages) => match http::Request::try_from(request) {
                Ok(request) => Ok(Response::from(pages.answer(request).await)),
                Err(error) => Err(error),
            },
        };
        let response = response.map_err(|error| ClientError::unreachable(&error.without_url()))?;
        if response.status() == StatusCode::UNAUTHORIZED {
            self.token.look_again(&shown);
        }
        let notices = response.headers().get_all(NOTICE_HEADER).iter().take(NOTICES_LIMIT);
        let text = |notice: &HeaderValue| Text::new(&String::from_utf8_lossy(notice.as_bytes()));
        self.notice(notices.map(text).collect());
        Ok(response)
    }
}

impl Held {
    /// A token that was refused may have been replaced in its file: the next request uses what is there then.
    fn look_again(&self, refused: &HeaderValue) {
        match &self.source {
            TokenSource::Given(_) => {}
            TokenSource::File(path) => {
                let read = Token::read(path).map_err(EndpointError::from).and_then(|token| header(&token));
                match read {
                    Ok(header) if header != *refused => {
                        *self.header.write().unwrap_or_else(PoisonError::into_inner) = header;
                        tracing::info!(file = %path.display(), "the token was replaced");
                    }
                    Ok(_) => {}
                    Err(error) => tracing::debug!(%error, "no other token"),
                }
            }
        }
    }
}

fn header(token: &Token) -> Result<HeaderValue, EndpointError> {
    bearer(token.reveal()).ok_or(EndpointError::Token(TokenError::NoToken))
}

fn late(within: Duration) -> ClientError {
    ClientError::Unreachable(Text::new(&format!("no answer within {} s", within.as_secs())))
}

fn is_problem(response: &Response) -> bool {
    let media_type = response.headers().get(CONTENT_TYPE).and_then(|value| value.to_str().ok());
    media_type.is_some_and(|value| value.starts_with(crate::wire::problem::MEDIA_TYPE))
}

/// What an answer that is none says.
async fn refused(response: Response) -> ClientError {
    let status = response.status();
    let after =
        response.headers().get(RETRY_AFTER).and_then(|value| value.to_str().ok()?.trim().parse().ok());
    let after = after.map(|seconds| Duration::from_secs(seconds).min(LONGEST_WAIT));
    let problem = match read(response, PROBLEM_LIMIT).await {
        Ok(body) => serde_json::from_slice::<Problem>(&body).ok(),
        Err(_) => None,
    };
    match problem {
        Some(problem) => ClientError::Problem(Problem { status: status.as_u16(), ..problem }, after),
        // A proxy on the way has its own words.
        None if status.is_server_error() => {
            ClientError::Unreachable(Text::new(&format!("the answer is {status}")))
        }
        None if status.is_client_error() => {
            let detail = format!("the answer is {status}: is that the address of a hub?");
            let (r#type, title) = ("about:blank".to_owned(), status.to_string());
            ClientError::Problem(Problem { r#type, title, status: status.as_u16(), detail }, after)
        }
        None => ClientError::answer(&format!("its status is {status}")),
    }
}

impl From<ReadError> for ClientError {
    fn from(error: ReadError) -> Self {
        match error {
            ReadError::TooLong(_) => Self::answer(&error.to_string()),
            ReadError::Broken(error) => Self::unreachable(&error),
        }
    }
}
