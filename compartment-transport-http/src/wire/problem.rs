//! Errors on the wire: problem documents (RFC 9457).

use serde::{Deserialize, Serialize};

/// The media type of a problem document.
pub const MEDIA_TYPE: &str = "application/problem+json";

/// An error, for people and for programs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[error("{detail}")]
#[cfg_attr(feature = "server", derive(schemars::JsonSchema))]
pub struct Problem {
    /// What kind of problem, as a URI: `urn:compartment:problem:` and the code.
    pub r#type: String,
    /// The kind in words.
    pub title: String,
    /// The status of the answer.
    pub status: u16,
    /// What was wrong here, and what to do.
    pub detail: String,
}

macro_rules! codes {
    ($($(#[$doc:meta])* $code:ident = $name:literal, $status:literal, $title:literal;)+) => {
        /// The kinds of problem.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum Code { $($(#[$doc])* $code,)+ }

        impl Code {
            /// Every kind.
            pub const ALL: &'static [Self] = &[$(Self::$code),+];

            /// The stable name.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$code => $name,)+ }
            }

            /// The status of an answer with this problem.
            #[must_use]
            pub const fn status(self) -> u16 {
                match self { $(Self::$code => $status,)+ }
            }

            const fn title(self) -> &'static str {
                match self { $(Self::$code => $title,)+ }
            }
        }
    };
}

codes! {
    /// A parameter or body does not parse.
    BadRequest = "bad-request", 400, "The request cannot be understood";
    /// No token, or one that is not valid.
    Unauthorized = "unauthorized", 401, "A valid token is needed";
    /// The token is valid, but not for this.
    Forbidden = "forbidden", 403, "The token does not allow this";
    /// There is no such host, operation or page.
    NotFound = "not-found", 404, "There is no such thing";
    /// The path is there, the method is not.
    MethodNotAllowed = "method-not-allowed", 405, "The method is not allowed here";
    /// The body took too long.
    Timeout = "timeout", 408, "The request took too long";
    /// Another agent speaks for the host.
    AgentLive = "agent-live", 409, "Another agent speaks for this host";
    /// An enrolment code was exchanged before, for another token.
    CodeUsed = "code-used", 409, "The enrolment code was used before";
    /// An order is not to be begun any more.
    Lapsed = "lapsed", 410, "The order is not to be begun any more";
    /// A body, a batch or a line is larger than allowed.
    TooLarge = "too-large", 413, "The request is too large";
    /// Too many requests with this token.
    TooManyRequests = "too-many-requests", 429, "Too many requests";
    /// A mistake in the hub.
    Internal = "internal", 500, "The hub made a mistake";
    /// The hub has stopped, is stopping, or cannot tell who may do what.
    Unavailable = "unavailable", 503, "The hub cannot answer now";
}

impl Problem {
    const TYPE: &str = "urn:compartment:problem:";

    /// A problem of a kind: what was wrong here, and what to do.
    #[must_use]
    pub fn new(code: Code, detail: impl Into<String>) -> Self {
        Self {
            r#type: format!("{}{}", Self::TYPE, code.as_str()),
            title: code.title().to_owned(),
            status: code.status(),
            detail: detail.into(),
        }
    }

    /// Its kind; nothing where a newer hub has kinds that are not known here.
    #[must_use]
    pub fn code(&self) -> Option<Code> {
        let name = self.r#type.strip_prefix(Self::TYPE)?;
        Code::ALL.iter().copied().find(|code| code.as_str() == name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_problem_tells_its_kind() {
        for code in Code::ALL {
            let problem = Problem::new(*code, "x");
            let json = serde_json::to_string(&problem).unwrap();
            let read: Problem = serde_json::from_str(&json).unwrap();
            assert_eq!((read.code(), read.status), (Some(*code), code.status()));
        }
    }
}
