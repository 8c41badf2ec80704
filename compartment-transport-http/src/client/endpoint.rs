//! Where a hub is, and how to show who asks.

use std::fmt;
use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use compartment_runtime::{SecretError, read_token, token};
use compartment_web::is_local;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use url::Url;

/// The largest file of certificates, in bytes.
const CA_LIMIT: u64 = 4 << 20;

/// Where a hub is, and who asks.
#[derive(Clone, Debug)]
pub struct Endpoint {
    /// Its address: `https://hub.example.org`, perhaps with a path under which it is mounted.
    pub url: Url,
    /// Who asks.
    pub token: TokenSource,
    /// A file of certificates (PEM) that are trusted besides the platform's.
    pub ca_file: Option<PathBuf>,
    /// Whether the token may go over a network in the clear.
    pub plain_beyond_loopback: bool,
}

/// Where a token comes from.
#[derive(Clone, Debug)]
pub enum TokenSource {
    /// It is this one.
    Given(Token),
    /// It is the only thing in this file. Read again when the hub refuses it: tokens are rotated.
    File(PathBuf),
}

/// A token. It is never printed.
#[derive(Clone, PartialEq, Eq)]
pub struct Token(String);

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Token(…)")
    }
}

impl Token {
    /// Takes a token. Blanks around it do not count.
    ///
    /// # Errors
    /// [`TokenError::NoToken`] for what cannot be one.
    pub fn new(raw: &str) -> Result<Self, TokenError> {
        token(raw).map(|token| Self(token.to_owned())).ok_or(TokenError::NoToken)
    }

    /// Reads a token from a file that holds nothing else.
    ///
    /// # Errors
    /// [`TokenError`].
    pub fn read(path: &Path) -> Result<Self, TokenError> {
        match read_token(path)? {
            Some(token) => Ok(Self(token)),
            None => Err(TokenError::NoTokenIn { path: path.to_owned() }),
        }
    }

    /// The token itself.
    pub(super) fn reveal(&self) -> &str {
        &self.0
    }
}

impl TokenSource {
    pub(super) fn read(&self) -> Result<Token, TokenError> {
        match self {
            Self::Given(token) => Ok(token.clone()),
            Self::File(path) => Token::read(path),
        }
    }
}

/// Why there is no token.
#[derive(Debug, thiserror::Error)]
pub enum TokenError {
    /// Its file cannot be read, or is not its owner's alone.
    #[error("the token: {0}; `compartment hub token add` makes one")]
    File(#[from] SecretError),
    /// Its file holds something else.
    #[error("{} holds no token: a token is one word; put the whole output of `compartment hub token add` there", path.display())]
    NoTokenIn {
        /// The path.
        path: PathBuf,
    },
    /// That is none.
    #[error("that is no token: a token is one word of printable ASCII characters")]
    NoToken,
}

/// Why a hub cannot even be tried.
#[derive(Debug, thiserror::Error)]
pub enum EndpointError {
    /// It is no address of a hub.
    #[error(
        "{url} is no address of a hub: give one such as https://hub.example.org, without user, query or fragment"
    )]
    Address {
        /// What was given.
        url: String,
    },
    /// It would send the token over a network in the clear.
    #[error(
        "{url} is not encrypted, and everybody on the way could read the token: use https, or allow plain HTTP \
         explicitly"
    )]
    Plain {
        /// The address.
        url: Url,
    },
    /// There is no token.
    #[error(transparent)]
    Token(#[from] TokenError),
    /// The certificates to trust cannot be read.
    #[error("cannot use the certificates in {}: {reason}; give a file of certificates in PEM form", path.display())]
    Certificates {
        /// The path.
        path: PathBuf,
        /// What is wrong with the file.
        reason: String,
    },
    /// TLS cannot be set up.
    #[error("cannot set up TLS: {0}")]
    Tls(String),
}

impl Endpoint {
    /// A hub at an address, for whom a token in a file speaks.
    ///
    /// # Errors
    /// [`EndpointError::Address`].
    pub fn new(url: &str, token: TokenSource) -> Result<Self, EndpointError> {
        let parsed = Url::parse(url).map_err(|_| EndpointError::Address { url: url.to_owned() })?;
        Ok(Self { url: parsed, token, ca_file: None, plain_beyond_loopback: false })
    }

    /// Refuses what is no hub's address, and what may not be used.
    ///
    /// # Errors
    /// [`EndpointError::Address`], [`EndpointError::Plain`]. Neither shows what may be a secret.
    pub fn check(&self) -> Result<(), EndpointError> {
        let url = &self.url;
        let bare = url.host().is_some() && url.username().is_empty() && url.password().is_none();
        let fine = bare && url.query().is_none() && url.fragment().is_none();
        // What is written there may hold a secret.
        let mut shown = url.clone();
        let _no_base = shown.set_username("").is_err() || shown.set_password(None).is_err();
        shown.set_query(None);
        match (url.scheme(), fine) {
            ("https", true) => Ok(()),
            ("http", true) if self.plain_beyond_loopback || is_local(url) => Ok(()),
            ("http", true) => Err(EndpointError::Plain { url: shown }),
            _ => Err(EndpointError::Address { url: shown.into() }),
        }
    }

    /// The certificates to trust besides the platform's.
    pub(super) fn certificates(&self) -> Result<Vec<CertificateDer<'static>>, EndpointError> {
        let Some(path) = &self.ca_file else { return Ok(Vec::new()) };
        let bad = |reason: String| EndpointError::Certificates { path: path.clone(), reason };
        let bytes = limited(path, CA_LIMIT).map_err(|error| bad(error.to_string()))?;
        let read: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&bytes).collect();
        match read {
            Ok(none) if none.is_empty() => Err(bad("there are none in it".to_owned())),
            Ok(certificates) => Ok(certificates),
            Err(error) => Err(bad(error.to_string())),
        }
    }
}

fn limited(path: &Path, limit: u64) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    File::open(path)?.take(limit + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > limit { Err(io::Error::other("it is too large")) } else { Ok(bytes) }
}

#[cfg(test)]
mod tests {
    use compartment_runtime::write_private;

    use super::*;

    fn check(url: &str, plain: bool) -> Result<(), EndpointError> {
        let token = TokenSource::Given(Token::new("secret").unwrap());
        Endpoint { plain_beyond_loopback: plain, ..Endpoint::new(url, token)? }.check()
    }

    #[test]
    fn a_token_does_not_leave_the_machine_in_the_clear() {
        for good in [
            "https://hub.example.org",
            "https://hub.example.org:8443/under/",
            "http://127.0.0.1:9",
            "http://[::1]",
            "http://localhost:1",
        ] {
            assert!(check(good, false).is_ok(), "{good}");
        }
        for plain in
            ["http://hub.example.org", "http://10.0.0.1", "http://localhost.example.org", "http://0.0.0.0"]
        {
            let refused = check(plain, false);
            assert!(matches!(refused, Err(EndpointError::Plain { .. })), "{plain}");
            assert!(check(plain, true).is_ok(), "{plain}");
        }
        for bad in
            ["hub", "ftp://hub", "https://user:pw@hub", "https://hub?x=1", "https://hub#x", "unix:/x", ""]
        {
            let refused = check(bad, true).unwrap_err();
            assert!(matches!(refused, EndpointError::Address { .. }), "{bad}: {refused}");
            assert!(!refused.to_string().contains("pw"), "{refused}");
        }
    }

    #[test]
    fn a_token_is_one_word_and_never_printed() {
        let token = Token::new(" cmp_secret\n").unwrap();
        assert_eq!(token.reveal(), "cmp_secret");
        assert!(!format!("{:?}", TokenSource::Given(token)).contains("secret"));
        for bad in ["", " ", "two words", "ümlaut", &"x".repeat(5000)] {
            assert!(Token::new(bad).is_err(), "{bad}");
        }
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("token");
        assert!(Token::read(&path).unwrap_err().to_string().contains("token cannot be read"));
        write_private(&path, "two words").unwrap();
        let refused = Token::read(&path).unwrap_err().to_string();
        assert!(refused.contains("holds no token") && !refused.contains("two"), "{refused}");
        write_private(&path, "secret\n").unwrap();
        assert_eq!(Token::read(&path).unwrap(), Token::new("secret").unwrap());
    }
}
