//! The way to the hub, and what to do where there is none.

use compartment_core::Text;
use compartment_transport_http::client::{
    ClientError, Connection, Endpoint, EndpointError, Token, TokenError, TokenSource,
};

use super::{HubAddress, MatrixError};

/// Opens the way to the hub. Nothing is sent yet.
pub(super) fn connect(hub: &HubAddress, token: Option<&str>) -> Result<Connection, MatrixError> {
    let source = match (&hub.token_file, token) {
        (Some(file), _) => TokenSource::File(file.clone()),
        (None, Some(token)) => TokenSource::Given(Token::new(token).map_err(given)?),
        (None, None) => return Err(MatrixError::NoToken),
    };
    let endpoint = Endpoint::new(&hub.url, source)?;
    let (ca_file, plain_beyond_loopback) = (hub.ca_file.clone(), hub.allow_plain);
    Ok(Connection::new(Endpoint { ca_file, plain_beyond_loopback, ..endpoint })?)
}

fn given(error: TokenError) -> MatrixError {
    MatrixError::Token(error)
}

/// What is wrong, in words for whoever sees it, and what to do.
pub(super) fn explained(error: &ClientError, hub: &str) -> String {
    match error {
        ClientError::Problem(problem, _) if problem.status == 401 => {
            format!(
                "{hub} does not take this token: {error}. `compartment hub token list` shows which there are, `compartment hub token add` \
                 makes one."
            )
        }
        ClientError::Problem(problem, _) if problem.status == 403 => {
            format!("{hub} does not allow that: {error}")
        }
        ClientError::Problem(..) => error.to_string(),
        ClientError::Unreachable(why) if is_about_certificates(why) => {
            format!("{hub} is not trusted: {why}. Give the certificate of its authority with --ca-file.")
        }
        ClientError::Unreachable(why) => {
            format!("no hub answers at {hub}: {why}. Does it run, and is that its address (--hub)?")
        }
        ClientError::Answer(_) => format!("{hub}: {error}. Is that a hub, and of this version?"),
    }
}

fn is_about_certificates(why: &Text) -> bool {
    why.as_str().contains("certificate")
}

/// An address as a terminal may be shown it.
pub(super) fn shown(hub: &Connection) -> String {
    Text::new(hub.hub().as_str().trim_end_matches('/')).to_string()
}

impl From<EndpointError> for MatrixError {
    fn from(error: EndpointError) -> Self {
        let words = match &error {
            EndpointError::Plain { .. } => format!("{error} with --allow-plain"),
            EndpointError::Address { .. }
            | EndpointError::Token(_)
            | EndpointError::Certificates { .. }
            | EndpointError::Tls(_) => error.to_string(),
        };
        Self::Endpoint(Text::new(&words))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_certificate_is_told_from_a_hub_that_is_not_there() {
        let told = |why: &str| explained(&ClientError::Unreachable(Text::from(why)), "https://hub");
        let refused = told("error sending request: invalid peer certificate: UnknownIssuer");
        assert!(
            refused.starts_with("https://hub is not trusted: ") && refused.contains("--ca-file"),
            "{refused}"
        );
        let away = told("error sending request: connection refused");
        assert!(away.starts_with("no hub answers at https://hub: ") && away.contains("--hub"), "{away}");
    }
}
