//! Errors as problem documents, whoever notices them.

use axum::extract::rejection::{PathRejection, QueryRejection};
use axum::http::{HeaderName, StatusCode, header};
use axum::response::{IntoResponse, Response};
use compartment_runtime::hub::HubError;
use compartment_runtime::{NotNow, UplinkError};
use tracing::warn;

use super::access::{CodeRefused, Denied, Forbidden};
use crate::wire::problem::MEDIA_TYPE;
use crate::wire::{Code, Problem};

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let status = StatusCode::from_u16(self.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let mut response = (status, [(header::CONTENT_TYPE, MEDIA_TYPE)], json(&self)).into_response();
        let extra: Option<(HeaderName, &'static str)> = match status {
            StatusCode::UNAUTHORIZED => Some((header::WWW_AUTHENTICATE, "Bearer")),
            StatusCode::SERVICE_UNAVAILABLE => Some((header::RETRY_AFTER, "5")),
            _ => None,
        };
        if let Some((name, value)) = extra {
            response.headers_mut().insert(name, value.parse().expect("a valid header"));
        }
        response
    }
}

/// JSON of what always has some.
pub(super) fn json(value: &impl serde::Serialize) -> Vec<u8> {
    serde_json::to_vec(value).expect("plain data is JSON")
}

impl From<HubError> for Problem {
    fn from(error: HubError) -> Self {
        match &error {
            HubError::Stopped(_) | HubError::Log(_) => unavailable(&error),
            HubError::NoPosition { .. } | HubError::Unwritable(_) => {
                Self::new(Code::BadRequest, error.to_string())
            }
            HubError::UnknownHost(_) => Self::new(Code::NotFound, error.to_string()),
            HubError::NotNow(why) => why.into(),
        }
    }
}

impl From<UplinkError> for Problem {
    fn from(error: UplinkError) -> Self {
        match &error {
            UplinkError::Stopped(_) => unavailable(&error),
            UplinkError::NotNow(why) => why.into(),
        }
    }
}

impl From<&NotNow> for Problem {
    fn from(why: &NotNow) -> Self {
        let code = match why {
            NotNow::TooMuch { .. } => Code::TooManyRequests,
            NotNow::LowOnSpace { .. } => Code::Unavailable,
        };
        Self::new(code, why.to_string())
    }
}

/// The hub cannot answer. Why, is for whoever looks after it: what stopped it may name its files.
fn unavailable(why: &dyn std::fmt::Display) -> Problem {
    warn!("a request is not answered: {why}");
    Problem::new(
        Code::Unavailable,
        "the hub has stopped, or cannot use its log: what it writes itself says why",
    )
}

impl From<Denied> for Problem {
    fn from(denied: Denied) -> Self {
        let code = match denied {
            Denied::Unavailable => Code::Unavailable,
            Denied::Malformed | Denied::Unknown | Denied::Expired { .. } => Code::Unauthorized,
        };
        Self::new(code, denied.to_string())
    }
}

impl From<CodeRefused> for Problem {
    fn from(refused: CodeRefused) -> Self {
        let code = match refused {
            CodeRefused::Unavailable => Code::Unavailable,
            CodeRefused::Malformed | CodeRefused::Unknown | CodeRefused::Expired { .. } => Code::Unauthorized,
            CodeRefused::OtherHost { .. } => Code::Forbidden,
            CodeRefused::Used { .. } => Code::CodeUsed,
            CodeRefused::IdTaken(_) => Code::BadRequest,
        };
        Self::new(code, refused.to_string())
    }
}

impl From<Forbidden> for Problem {
    fn from(forbidden: Forbidden) -> Self {
        Self::new(Code::Forbidden, forbidden.to_string())
    }
}

impl From<PathRejection> for Problem {
    fn from(rejection: PathRejection) -> Self {
        Self::new(Code::BadRequest, rejection.body_text())
    }
}

impl From<QueryRejection> for Problem {
    fn from(rejection: QueryRejection) -> Self {
        Self::new(Code::BadRequest, rejection.body_text())
    }
}

/// No such page.
pub(super) async fn not_found() -> Problem {
    Problem::new(Code::NotFound, "there is no such page: /openapi.json lists them all")
}

/// A page, but not like this.
pub(super) async fn method_not_allowed() -> Problem {
    Problem::new(Code::MethodNotAllowed, "this page has other methods: /openapi.json lists them all")
}

/// A handler panicked: a mistake in this program.
pub(super) fn panicked(_: Box<dyn std::any::Any + Send>) -> Response {
    tracing::error!("a handler panicked; this is a mistake in the program: report it");
    Problem::new(Code::Internal, "this is a mistake in the hub: its log may say more").into_response()
}
