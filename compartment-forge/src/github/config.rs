//! Which repository, and how it is watched.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use compartment_core::ChannelName;
use compartment_runtime::ForgeError;
use url::Url;

use super::orders::refused;
use crate::client::{ClientError, address};
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
    /// The branch of each channel.
    pub channels: BTreeMap<ChannelName, String>,
    /// Which pull requests count.
    pub updates: Updates,
    /// How long one request may take.
    pub timeout: Duration,
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
    /// It cannot be asked.
    #[error(transparent)]
    Client(#[from] ClientError),
}

impl GitHubConfig {
    /// A repository on github.com whose channel `main` is its branch `main`.
    #[must_use]
    pub fn new(owner: &str, repository: &str, token: Option<Token>) -> Self {
        Self {
            owner: owner.to_owned(),
            repository: repository.to_owned(),
            token,
            api: "https://api.github.com".to_owned(),
            channels: BTreeMap::from([(ChannelName::main(), "main".to_owned())]),
            updates: Updates::default(),
            timeout: Duration::from_secs(15),
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
        Ok(address(&self.api)?)
    }

    /// As people name it.
    pub(super) fn name(&self) -> String {
        format!("{}/{}", self.owner, self.repository)
    }

    pub(super) fn branch(&self, channel: &ChannelName) -> Result<&str, ForgeError> {
        let branch = self.channels.get(channel).map(String::as_str);
        branch.ok_or_else(|| refused(&format!("no branch is configured for the channel {channel}")))
    }

    pub(super) fn channel(&self, branch: &str) -> Option<&ChannelName> {
        self.channels.iter().find(|(_, of)| *of == branch).map(|(channel, _)| channel)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_cannot_be_watched_is_told() {
        let config = GitHubConfig::new("o", "r", Some(Token::given("ghp_secret").unwrap()));
        assert!(config.check().is_ok());
        assert!(!format!("{config:?}").contains("secret"));
        for (owner, repository) in [("", "r"), ("o", ".."), ("o/p", "r"), ("o", "r?x")] {
            assert!(GitHubConfig::new(owner, repository, None).check().is_err(), "{owner} {repository}");
        }
        let mut twice = config.clone();
        twice.channels.insert(ChannelName::new("edge").unwrap(), "main".to_owned());
        assert_eq!(
            twice.check().unwrap_err().to_string(),
            "the branch main belongs to more than one channel"
        );
        let with = GitHubConfig { api: "https://me:pw@api.github.com".to_owned(), ..config };
        assert!(!with.check().unwrap_err().to_string().contains("pw"));
    }
}
