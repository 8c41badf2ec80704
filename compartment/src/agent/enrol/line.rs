//! The line that is pasted on a host: where its hub is, which host it is, and the code that lets it in.

use std::fmt;
use std::str::FromStr;

use compartment_core::HostId;
use compartment_transport_http::client::{Endpoint, EndpointError, Token, TokenSource};
use compartment_transport_http::server::access::EnrolmentCode;
use compartment_transport_ssh::host::quote;

/// What a line says: `https://hub.example.org/#gpc0:CODE`. What stands behind `#` is sent nowhere by whatever opens the
/// address.
#[derive(Clone, Debug)]
pub struct Invitation {
    /// The hub's address.
    pub hub: String,
    /// The host.
    pub host: HostId,
    /// The code.
    pub code: EnrolmentCode,
}

/// A line as it was typed. It may hold a code, and is never printed.
#[derive(Clone)]
pub struct Line(String);

impl fmt::Debug for Line {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Line(…)")
    }
}

impl From<&str> for Line {
    fn from(typed: &str) -> Self {
        Self(typed.to_owned())
    }
}

impl Line {
    /// Whether the line is to be read from standard input.
    pub(super) fn is_elsewhere(&self) -> bool {
        self.0 == "-"
    }

    /// The hub, the host and the code that it holds.
    ///
    /// # Errors
    /// [`BadLine`]: the line is none, or was cut.
    pub fn invitation(&self) -> Result<Invitation, BadLine> {
        self.0.parse()
    }
}

/// A line that is none. It shows nothing of the line, which may hold a code.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadLine {
    /// It has no `#`, or no `:` behind it.
    #[error(
        "this is no line of `compartment hub token add --enrol`: expected 'https://HUB/#HOST:CODE', with the quotes that a \
         shell needs for it"
    )]
    Shape,
    /// The address is none.
    #[error("what stands before `#` is no address of a hub: expected one such as https://hub.example.org")]
    Address,
    /// The host's name is none.
    #[error("what stands between `#` and `:` is no name of a host")]
    Host,
    /// The code is none.
    #[error("what stands behind `:` is no enrolment code: has all of the line been copied?")]
    Code,
}

impl Invitation {
    /// A hub at this address, with nobody who asks it.
    ///
    /// # Errors
    /// [`EndpointError::Address`]. Plain HTTP is no mistake here: the host judges it.
    pub fn hub_at(url: &str) -> Result<Endpoint, EndpointError> {
        let nobody = TokenSource::Given(Token::new("nobody")?);
        let hub = Endpoint { plain_beyond_loopback: true, ..Endpoint::new(url, nobody)? };
        hub.check()?;
        Ok(Endpoint { plain_beyond_loopback: false, ..hub })
    }

    /// The command that is pasted on the host, code and all.
    #[must_use]
    pub fn command(&self) -> String {
        let line = format!("{}#{}:{}", self.hub, self.host, self.code.reveal());
        // An address has no NUL.
        format!("compartment agent enrol {}", quote(&line).unwrap_or(line))
    }
}

impl FromStr for Invitation {
    type Err = BadLine;

    /// Reads a line, also where the whole command was pasted.
    fn from_str(typed: &str) -> Result<Self, BadLine> {
        let quotes = ['\'', '"'];
        let word = typed.split_whitespace().rfind(|word| word.contains('#')).ok_or(BadLine::Shape)?;
        let (hub, said) = word.trim_matches(quotes).split_once('#').ok_or(BadLine::Shape)?;
        let (host, code) = said.split_once(':').ok_or(BadLine::Shape)?;
        let hub = Self::hub_at(hub).map_err(|_| BadLine::Address)?.url.to_string();
        let host = host.parse().map_err(|_| BadLine::Host)?;
        let code = code.parse().map_err(|_| BadLine::Code)?;
        Ok(Self { hub, host, code })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_printed_on_the_hub_is_read_on_the_host() {
        let code = EnrolmentCode::generate().unwrap();
        let host: HostId = "gpc0.example.org".parse().unwrap();
        for (url, hub) in [
            ("https://hub.example.org", "https://hub.example.org/"),
            ("https://example.org:8443/fleet/it's", "https://example.org:8443/fleet/it's"),
            ("http://[::1]:7070", "http://[::1]:7070/"),
        ] {
            let hub_url = Invitation::hub_at(url).unwrap().url.to_string();
            let command = Invitation { hub: hub_url, host: host.clone(), code: code.clone() }.command();
            assert!(command.starts_with("compartment agent enrol '"), "{command}");
            let line = command.strip_prefix("compartment agent enrol ").unwrap().replace(r"'\''", "'");
            for pasted in [&*line, line.trim_matches('\''), &format!("compartment agent enrol {line}\n")] {
                let read = Line::from(pasted).invitation().unwrap();
                assert_eq!((read.hub.as_str(), &read.host), (hub, &host));
                assert_eq!(read.code.reveal(), code.reveal());
            }
        }
    }

    #[test]
    fn a_line_that_is_none_is_refused_and_not_shown() {
        let code = EnrolmentCode::generate().unwrap().reveal();
        for (line, said) in [
            (String::new(), BadLine::Shape),
            (code.clone(), BadLine::Shape),
            (format!("https://hub/#{code}"), BadLine::Shape),
            (format!("https://hub/#gpc0:{}", &code[..50]), BadLine::Code),
            (format!("https://hub/#gpc 0:{code}"), BadLine::Shape),
            (format!("https://hub/#-:{code}"), BadLine::Host),
            (format!("https://me:pw@hub/#gpc0:{code}"), BadLine::Address),
            (format!("ftp://hub/#gpc0:{code}"), BadLine::Address),
            (format!("https://hub/?a#gpc0:{code}"), BadLine::Address),
        ] {
            let refused = Line::from(&*line).invitation().unwrap_err();
            assert_eq!(refused, said, "{line}");
            assert!(
                !refused.to_string().contains(&code[21..40])
                    && !format!("{:?}", Line::from(&*line)).contains("cme")
            );
        }
    }
}
