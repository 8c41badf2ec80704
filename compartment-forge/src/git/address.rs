//! A remote's address, apart from the credentials in it: git hands addresses to its helpers as arguments.

use std::net::IpAddr;
use std::path::Path;

use compartment_local::credentials::misplaced_password;

use super::config::{Credential, GitForgeError};

/// Where a repository is, without secrets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Address {
    /// What git is given, and people are shown.
    pub(super) bare: String,
    /// The address that credentials are for: scheme, host and port of one over HTTP.
    pub(super) origin: Option<String>,
    /// The user and password that it held.
    pub(super) credential: Option<Credential>,
    /// The user that it held, where there was no password.
    pub(super) user: Option<String>,
}

impl Address {
    /// Takes an address apart. A path is meant from here, not from wherever git runs.
    pub(super) fn new(raw: &str) -> Result<Self, GitForgeError> {
        if let Some(why) = misplaced_password(raw) {
            return Err(GitForgeError::Remote(why));
        }
        let plain = |bare: String| Self { bare, origin: None, credential: None, user: None };
        let Some((scheme, rest)) = raw.split_once("://") else {
            return match is_path(raw) {
                true => std::path::absolute(Path::new(raw))
                    .map(|path| plain(path.to_string_lossy().into_owned()))
                    .map_err(|_| GitForgeError::Remote("it is empty")),
                false => Ok(plain(raw.to_owned())),
            };
        };
        let (authority, path) = rest.split_at(rest.find(['/', '?', '#']).unwrap_or(rest.len()));
        let (user, host) = match authority.rsplit_once('@') {
            Some((user, host)) => (Some(user), host),
            None => (None, authority),
        };
        let (user, password) = match user.map(|user| user.split_once(':').unwrap_or((user, ""))) {
            Some((user, password)) => (Some(user).filter(|u| !u.is_empty()), Some(password)),
            None => (None, None),
        };
        let password = password.filter(|password| !password.is_empty());
        if !matches!(scheme.to_ascii_lowercase().as_str(), "http" | "https") {
            return match password {
                Some(_) => Err(GitForgeError::Remote("only addresses over HTTP may hold a password")),
                None => Ok(plain(raw.to_owned())),
            };
        }
        let credential = password.map(|password| {
            Credential::new(&decoded(user.unwrap_or(Credential::ANY_USER)), &decoded(password))
        });
        let user = user.filter(|_| credential.is_none()).map(decoded);
        let origin = format!("{scheme}://{host}");
        Ok(Self { bare: format!("{origin}{path}"), origin: Some(origin), credential, user })
    }

    /// Whether what is sent there can be read on the way: it is HTTP without TLS, and not to this machine.
    pub(super) fn is_in_the_clear(&self) -> bool {
        let Some((scheme, authority)) = self.origin.as_deref().and_then(|origin| origin.split_once("://"))
        else {
            return false;
        };
        let host = match authority.strip_prefix('[') {
            Some(rest) => rest.split(']').next().unwrap_or_default(),
            None => authority.split(':').next().unwrap_or_default(),
        };
        let here = host.eq_ignore_ascii_case("localhost")
            || host.parse().is_ok_and(|address: IpAddr| address.is_loopback());
        scheme.eq_ignore_ascii_case("http") && !here
    }
}

/// As git tells them apart: `host:path` has its colon before the first slash.
fn is_path(raw: &str) -> bool {
    raw.find(':').is_none_or(|colon| raw.find('/').is_some_and(|slash| slash < colon))
}

/// Without percent-encoding.
fn decoded(raw: &str) -> String {
    let mut bytes = Vec::with_capacity(raw.len());
    let mut rest = raw.as_bytes();
    while let Some((first, tail)) = rest.split_first() {
        let hex = tail.get(..2).and_then(|hex| std::str::from_utf8(hex).ok());
        let byte = hex.filter(|_| *first == b'%').and_then(|hex| u8::from_str_radix(hex, 16).ok());
        bytes.push(byte.unwrap_or(*first));
        rest = if byte.is_some() { &tail[2..] } else { tail };
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_http_to_another_machine_can_be_read_on_the_way() {
        let clear = |raw: &str| Address::new(raw).unwrap().is_in_the_clear();
        for raw in [
            "http://git.example/x",
            "HTTP://git.example:80",
            "http://10.0.0.1/x",
            "http://localhost.example",
            "http://[2001:db8::1]/x",
        ] {
            assert!(clear(raw), "{raw}");
        }
        for raw in [
            "https://git.example",
            "http://localhost:3000/x",
            "http://127.0.0.1:1/x",
            "http://[::1]:1/x",
            "ssh://git@host/x",
            "/srv/x.git",
            "git@host:x",
        ] {
            assert!(!clear(raw), "{raw}");
        }
    }

    #[test]
    fn credentials_are_taken_out() {
        let address = Address::new("https://me:p%40ss%zz@git.example:8443/x@y.git").unwrap();
        assert_eq!(address.bare, "https://git.example:8443/x@y.git");
        assert_eq!(address.origin.as_deref(), Some("https://git.example:8443"));
        assert_eq!(address.credential, Some(Credential::new("me", "p@ss%zz")));
        let address = Address::new("https://me@git.example").unwrap();
        assert_eq!((address.bare.as_str(), address.user.as_deref()), ("https://git.example", Some("me")));
        assert_eq!(address.credential, None);
        let address = Address::new("https://:token@git.example/").unwrap();
        assert_eq!(address.credential, Some(Credential::new(Credential::ANY_USER, "token")));
    }

    #[test]
    fn what_is_no_http_stays_as_it_is() {
        for raw in ["git@host:x/y", "host:x", "ssh://git@host/x", "file:///srv/x.git", "/srv/a:b"] {
            let address = Address::new(raw).unwrap();
            assert_eq!((address.bare.as_str(), address.credential, address.user), (raw, None, None));
        }
        let error = Address::new("ssh://git:hush@host/x").unwrap_err();
        assert!(!format!("{error} {error:?}").contains("hush"));
        let here = std::env::current_dir().unwrap();
        assert_eq!(Address::new("x/y.git").unwrap().bare, here.join("x/y.git").to_string_lossy());
        assert!(Address::new("").is_err());
        let error = Address::new("https://me:hush/x@host/y").unwrap_err();
        assert!(!format!("{error} {error:?}").contains("hush"));
    }
}
