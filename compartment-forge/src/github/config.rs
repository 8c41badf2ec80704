//! Which repository, and how it is watched.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::time::Duration;

use compartment_core::ChannelName;
use compartment_runtime::ForgeError;
use compartment_web::is_local;
use url::Url;

use super::orders::refused;
use super::socket::unreachable;
use crate::client::{ClientError, address};
use crate::git::{Credential, GitConfig, Identity};
use crate::{Token, Updates};

/// Which repository, and how it is watched.
#[derive(Clone, Debug)]
pub struct GitHubConfig {
    /// Whose it is.
    pub owner: String,
    /// Its name.
    pub repository: String,
    /// The token; without one only what is public is seen, and little of it.
    pub token: Option<Token>,
    /// The address of the API: `https://api.github.com`, or `https://HOST/api/v3` of an Enterprise Server.
    pub api: String,
    /// The branches that channels stand for, where they have other names: `main` may stand for `production`.
    pub channels: BTreeMap<ChannelName, String>,
    /// Which pull requests count.
    pub updates: Updates,
    /// How long one request may take.
    pub timeout: Duration,
    /// Reverts are made with git: how. Without it they are refused.
    pub reverts: Option<Reverts>,
}

/// How reverts are made: with git, for GitHub's own would only open another pull request.
#[derive(Clone, Debug)]
pub struct Reverts {
    /// Where a mirror of the repository is kept, which may be thrown away at any time.
    pub folder: PathBuf,
    /// The repository's address for git, where it is not the one that follows from the API's. The token is used
    /// there where it is over HTTP.
    pub remote: Option<String>,
    /// Who makes them.
    pub identity: Option<Identity>,
    /// For how long git may say nothing.
    pub silence: Duration,
}

impl Reverts {
    /// With a mirror in this folder, at the address that follows from the API's.
    #[must_use]
    pub fn new(folder: impl Into<PathBuf>) -> Self {
        Self { folder: folder.into(), remote: None, identity: None, silence: GitConfig::SILENCE }
    }
}

/// Why a repository cannot be watched.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// No such repository can be.
    #[error("`{0}` is no name of an owner or repository: letters, digits, `-`, `_` and `.` are expected")]
    Name(String),
    /// Two channels would be one.
    #[error("the branch {0} belongs to more than one channel")]
    Shared(String),
    /// The token would be sent in the clear.
    #[error("{0} is not encrypted, and everybody on the way could read the token: use https")]
    Plain(Url),
    /// It cannot be asked.
    #[error(transparent)]
    Client(#[from] ClientError),
}

impl GitHubConfig {
    /// A repository on github.com whose channels are the branches of the same names, and which makes no reverts.
    #[must_use]
    pub fn new(owner: &str, repository: &str, token: Option<Token>) -> Self {
        Self {
            owner: owner.to_owned(),
            repository: repository.to_owned(),
            token,
            api: "https://api.github.com".to_owned(),
            channels: BTreeMap::new(),
            updates: Updates::default(),
            timeout: Duration::from_secs(15),
            reverts: None,
        }
    }

    /// The address of the API, where all is well.
    pub(super) fn check(&self) -> Result<Url, ConfigError> {
        for name in [&self.owner, &self.repository] {
            let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_');
            if name.is_empty() || name.bytes().all(|byte| byte == b'.') || !name.bytes().all(plain) {
                return Err(ConfigError::Name(name.clone()));
            }
        }
        let mut branches = BTreeSet::new();
        if let Some(branch) = self.channels.values().find(|branch| !branches.insert(*branch)) {
            return Err(ConfigError::Shared(branch.clone()));
        }
        let api = address(&self.api)?;
        if self.token.is_some() && api.scheme() != "https" && !is_local(&api) {
            return Err(ConfigError::Plain(api));
        }
        Ok(api)
    }

    /// As people name it.
    pub(super) fn name(&self) -> String {
        format!("{}/{}", self.owner, self.repository)
    }

    /// The branch that a channel stands for.
    pub(super) fn branch<'a>(&'a self, channel: &'a ChannelName) -> &'a str {
        self.channels.get(channel).map_or(channel.as_str(), String::as_str)
    }

    /// The channel that stands for a branch.
    pub(super) fn channel(&self, branch: &str) -> Option<ChannelName> {
        let named = self.channels.iter().find(|(_, of)| *of == branch).map(|(channel, _)| channel.clone());
        named.or_else(|| ChannelName::new(branch).ok().filter(|name| !self.channels.contains_key(name)))
    }

    /// The repository for git, with the token as it is now.
    pub(super) fn git(&self) -> Result<GitConfig, ForgeError> {
        let Some(Reverts { folder, remote, identity, silence }) = &self.reverts else {
            return Err(refused("reverts are made with git, and no folder for its mirror is configured"));
        };
        let token = self.token.as_ref().map(Token::reveal).transpose();
        let token = token.map_err(|error| unreachable(&error.to_string()))?;
        let remote = remote.clone().unwrap_or_else(|| remote_of(&self.api, &self.name()));
        Ok(GitConfig {
            channels: self.channels.clone(),
            pull_requests: Vec::new(),
            identity: identity.clone(),
            credential: token.map(|token| Credential::token(&token)),
            silence: *silence,
            ..GitConfig::new(remote, folder)
        })
    }
}

/// Where git finds what an API speaks of: github.com has a host of its own for the latter, Enterprise a path.
fn remote_of(api: &str, name: &str) -> String {
    let home = api.trim_end_matches('/').trim_end_matches("/api/v3").replacen("://api.", "://", 1);
    format!("{home}/{name}.git")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_cannot_be_watched_is_told() {
        let config = GitHubConfig::new("o", "r", Some(Token::given("ghp_secret").unwrap()));
        assert!(config.check().is_ok());
        assert!(!format!("{config:?}").contains("secret"));
        let with = GitHubConfig { reverts: Some(Reverts::new("/x")), ..config.clone() };
        assert!(!format!("{with:?} {:?}", with.git()).contains("secret"));
        assert_eq!(with.git().unwrap().remote, "https://github.com/o/r.git");
        let remote = |api| remote_of(api, "o/r");
        assert_eq!(remote("https://git.example/api/v3"), "https://git.example/o/r.git");
        assert_eq!(remote("https://api.acme.ghe.com/"), "https://acme.ghe.com/o/r.git");
        for (owner, repository) in [("", "r"), ("o", ".."), ("o/p", "r"), ("o", "r?x")] {
            assert!(GitHubConfig::new(owner, repository, None).check().is_err(), "{owner} {repository}");
        }
        let mut twice = config.clone();
        for channel in ["edge", "main"] {
            twice.channels.insert(ChannelName::new(channel).unwrap(), "main".to_owned());
        }
        assert_eq!(
            twice.check().unwrap_err().to_string(),
            "the branch main belongs to more than one channel"
        );
        let at = |api: &str| GitHubConfig { api: api.to_owned(), ..config.clone() };
        assert!(at("http://git.example/api/v3").check().unwrap_err().to_string().contains("use https"));
        assert!(at("http://127.0.0.1:1/api/v3").check().is_ok());
        assert!(GitHubConfig { token: None, ..at("http://git.example/api/v3") }.check().is_ok());
        let with = GitHubConfig { api: "https://me:pw@api.github.com".to_owned(), ..config };
        assert!(!with.check().unwrap_err().to_string().contains("pw"));
    }
}
