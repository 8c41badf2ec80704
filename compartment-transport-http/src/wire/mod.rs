//! What the two sides say to each other: pure codecs, without a socket.
//!
//! | Who | Says | In |
//! |---|---|---|
//! | an agent | reports, a batch at a time | [`events`] |
//! | the hub to an agent | orders | [`orders`] |
//! | an agent | what an operation prints | [`output`] |
//! | a host that has no token yet | which token it has made | [`enrolment`] |
//! | an operator | requests | [`requests`] |
//! | an operator | how hosts are configured | [`configuration`] |
//! | the hub to readers | the types of the core, and a few more | [`reading`] |
//! | the hub, where something is wrong | [`Problem`] | [`problem`] |
//!
//! Everything is decoded with limits, in full, and never with a panic; unknown fields are passed over, so that an
//! older side understands a newer one.

pub mod configuration;
pub mod enrolment;
pub mod events;
pub mod orders;
pub mod output;
pub mod problem;
pub mod reading;
pub mod requests;

pub use problem::{Code, Problem};
use serde::de::{DeserializeOwned, Error};
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::{Map, Value};

/// What is written as an object, and as nothing else: a list would be taken for one whose names are left out.
fn object<'de, D: Deserializer<'de>, T: DeserializeOwned>(from: D) -> Result<T, D::Error> {
    taken_from(Map::deserialize(from)?)
}

/// The same, where there may be none: absent or null.
fn optional_object<'de, D: Deserializer<'de>, T: DeserializeOwned>(from: D) -> Result<Option<T>, D::Error> {
    Option::deserialize(from)?.map(taken_from).transpose()
}

fn taken_from<T: DeserializeOwned, E: Error>(object: Map<String, Value>) -> Result<T, E> {
    T::deserialize(Value::from(object)).map_err(E::custom)
}

/// The media type of a batch of reports.
pub const NDJSON: &str = "application/x-ndjson";

/// The largest body that a hub takes, in bytes, unless it is configured otherwise.
pub const BODY_LIMIT: usize = 4 << 20;

/// The most lines of a batch that a hub takes, unless it is configured otherwise.
pub const BATCH_LIMIT: usize = 1000;

/// The header in which a hub says to people what they should know of it, whatever they asked; once for each notice.
pub const NOTICE_HEADER: &str = "compartment-notice";

/// The event of live updates with all notices: a JSON array of them, empty where there are none any more.
pub const NOTICES: &str = "notices";

/// The event that is said at once to whoever checks whether events arrive.
pub const HELLO: &str = "hello";

/// What that event says of the host.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hello {
    /// Seconds that each of its tests may take. `None` where the hub does not know the host yet.
    #[serde(default)]
    pub test_limit_s: Option<u32>,
    /// Whether an agent of the host is connected, and its reports have been taken. `None` where the hub is older than this.
    #[serde(default)]
    pub online: Option<bool>,
}

/// The header in which an agent names the session of its spool.
pub const SESSION_HEADER: &str = "compartment-session";
