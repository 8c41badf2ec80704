//! The only file that talks to GitHub's API.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use compartment_core::{Span, Text, Timestamp};
use compartment_runtime::{ForgeError, RateLimit};
use compartment_web::{bearer, read};
use reqwest::header::{
    ACCEPT, AUTHORIZATION, ETAG, HeaderMap, HeaderName, HeaderValue, IF_NONE_MATCH, LINK, LOCATION,
};
use reqwest::{Client, Method};
use tokio::time::Instant;
use url::Url;

use super::answer;
use super::ask::ApiRequest;
use super::limit::{Counted, limited};
use crate::client::{ClientError, client, words};
use crate::token::Token;

/// The version of the API that is spoken.
const VERSION: (HeaderName, HeaderValue) =
    (HeaderName::from_static("x-github-api-version"), HeaderValue::from_static("2022-11-28"));

/// The longest answer: a hundred pull requests are some megabytes, and a lock hardly one.
const ANSWER_LIMIT: usize = 32 << 20;

/// The last second that a timestamp can name, in the year 9999.
const LAST_SECOND: i64 = 253_402_300_799;

/// The way to GitHub.
#[derive(Debug)]
pub(super) struct Socket {
    http: Client,
    /// The address of the API, without a slash at its end.
    api: String,
    token: Option<Token>,
    timeout: Duration,
    counts: Mutex<Counts>,
}

/// What is known of how often it may be asked.
#[derive(Debug, Default)]
struct Counts {
    rate: Option<RateLimit>,
    closed: Option<Instant>,
}

/// An answer that is one: neither a failure of GitHub's, nor of the token, nor asked too often.
#[derive(Debug)]
pub(super) struct Answer {
    /// 200, 304, or what is wrong with the question.
    pub(super) status: u16,
    /// What to ask with again.
    pub(super) etag: Option<String>,
    /// Where other pages are.
    pub(super) link: Option<String>,
    /// Its body, as it came; at most `ANSWER_LIMIT` bytes.
    pub(super) body: Vec<u8>,
}

impl Answer {
    /// The answer's own words, where it is not what was hoped for.
    pub(super) fn complaint(&self) -> Text {
        answer::complaint(self.status, &self.body)
    }

    /// As an error of something that only reads.
    pub(super) fn unexpected(&self) -> ForgeError {
        ForgeError::Unreachable(self.complaint())
    }
}

impl Socket {
    pub(super) fn new(api: &Url, token: Option<Token>, timeout: Duration) -> Result<Self, ClientError> {
        let mut bare = api.clone();
        bare.set_query(None);
        bare.set_fragment(None);
        let (http, api) = (client(api)?, bare.as_str().trim_end_matches('/').to_owned());
        Ok(Self { http, api, token, timeout, counts: Mutex::default() })
    }

    /// How often it may still be asked, as the last answer said.
    pub(super) fn rate(&self) -> Option<RateLimit> {
        self.counts.lock().unwrap_or_else(PoisonError::into_inner).rate
    }

    /// Asks once. With an `etag`, 304 says that nothing has changed, and is not counted by GitHub.
    pub(super) async fn send(&self, ask: &ApiRequest, etag: Option<&str>) -> Result<Answer, ForgeError> {
        self.open()?;
        let (status, headers, body) = match tokio::time::timeout(self.timeout, self.exchange(ask, etag)).await
        {
            Ok(exchanged) => exchanged?,
            Err(_) => {
                let seconds = self.timeout.as_secs_f32();
                return Err(unreachable(&format!("GitHub did not answer within {seconds} s")));
            }
        };
        let text = |name| headers.get(name).and_then(|value: &HeaderValue| value.to_str().ok());
        let counted = Counted::read(|name| headers.get(name).and_then(|value| value.to_str().ok()));
        self.counted(&counted, status, &body)?;
        match status {
            401 => Err(self.unauthorized()),
            304 => Ok(Answer { status, etag: None, link: None, body }),
            300..=399 => {
                let to = text(LOCATION.as_str()).unwrap_or("it does not say where");
                Err(unreachable(&format!(
                    "the repository has moved, and its new name is to be configured: {to}"
                )))
            }
            500..=599 => Err(ForgeError::Unreachable(answer::complaint(status, &body))),
            _ => {
                let (etag, link) = (text(ETAG.as_str()), text(LINK.as_str()));
                Ok(Answer { status, etag: etag.map(str::to_owned), link: link.map(str::to_owned), body })
            }
        }
    }

    /// Not before GitHub wants to be asked again.
    fn open(&self) -> Result<(), ForgeError> {
        let mut counts = self.counts.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(closed) = counts.closed else { return Ok(()) };
        let left = closed.saturating_duration_since(Instant::now());
        if left.is_zero() {
            counts.closed = None;
            return Ok(());
        }
        Err(limited(Span::from_millis(u64::try_from(left.as_millis()).unwrap_or(u64::MAX)), now()))
    }

    /// Remembers what an answer says about how often it may be asked.
    fn counted(&self, counted: &Counted, status: u16, body: &[u8]) -> Result<(), ForgeError> {
        let mut counts = self.counts.lock().unwrap_or_else(PoisonError::into_inner);
        counts.rate = counted.rate().or(counts.rate);
        match counted.wait(status, body, now()) {
            None => Ok(()),
            Some(wait) => {
                counts.closed = Some(Instant::now() + Duration::from_millis(wait.as_millis()));
                Err(limited(wait, now()))
            }
        }
    }

    async fn exchange(
        &self,
        ask: &ApiRequest,
        etag: Option<&str>,
    ) -> Result<(u16, HeaderMap, Vec<u8>), ForgeError> {
        let method = if ask.merge.is_some() { Method::PUT } else { Method::GET };
        let url = format!("{}{}", self.api, ask.path);
        let mut request =
            self.http.request(method, url).header(ACCEPT, ask.accept).header(VERSION.0, VERSION.1);
        if let Some(token) = &self.token {
            let token = token.reveal().map_err(|error| unreachable(&error.to_string()))?;
            let bearer = bearer(&token).ok_or_else(|| unreachable("the token cannot be sent"))?;
            request = request.header(AUTHORIZATION, bearer);
        }
        if let Some(etag) = etag {
            request = request.header(IF_NONE_MATCH, etag);
        }
        if let Some(merge) = &ask.merge {
            request = request.json(merge);
        }
        let response = request.send().await.map_err(|error| {
            unreachable(&format!("GitHub cannot be reached: {}", words(&error.without_url())))
        })?;
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        let body = read(response, ANSWER_LIMIT).await.map_err(|error| {
            unreachable(&format!("GitHub's answer did not come to its end: {}", words(&error)))
        })?;
        Ok((status, headers, body))
    }

    fn unauthorized(&self) -> ForgeError {
        let what = match self.token.as_ref().map(Token::file) {
            Some(Some(file)) => format!("another one is wanted in {}", file.display()),
            Some(None) => "another one is to be given".to_owned(),
            None => "one is to be given".to_owned(),
        };
        unreachable(&format!("GitHub takes no such token: it is wrong, revoked or expired; {what}"))
    }
}

/// It could not be asked.
pub(super) fn unreachable(words: &str) -> ForgeError {
    ForgeError::Unreachable(Text::new(words))
}

/// The time here.
fn now() -> Timestamp {
    let seconds = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
    let millis = i64::try_from(seconds).unwrap_or(i64::MAX).min(LAST_SECOND) * 1000;
    Timestamp::from_millis(millis).expect("it is between 1970 and 9999")
}
