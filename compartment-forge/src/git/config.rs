//! What a git forge has to know.

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use compartment_core::ChannelName;
use compartment_local::credentials::without_credentials;
use compartment_local::git::GitError;

use crate::Updates;

/// A repository that the user's own git reaches.
#[derive(Clone)]
pub struct GitConfig {
    /// Its address or path, as git takes it. Credentials in it are kept apart from it.
    pub remote: String,
    /// Where the mirror of it is kept. Whatever is in `mirror.git` of it may be thrown away at any time.
    pub folder: PathBuf,
    /// The branches that channels stand for, where they have other names: `main` may stand for `production`.
    pub channels: BTreeMap<ChannelName, String>,
    /// What counts as a pull request.
    pub pull_requests: Vec<PullRequestRefs>,
    /// Which of them are reported: those that bring new dependencies. A repository knows no labels.
    pub updates: Updates,
    /// Where people look at a pull request, with `{pr}` for its id.
    pub url: Option<String>,
    /// Who makes merges and reverts. Where nobody is named it is who git's own configuration names, else
    /// [`Identity::default`].
    pub identity: Option<Identity>,
    /// For a remote over HTTP. Where there is none, git's own credential helpers are asked.
    pub credential: Option<Credential>,
    /// For how long git may say nothing; shorter than the patience of whoever calls. A fetch says how far it is, and goes on
    /// for as long as it does.
    pub silence: Duration,
}

impl GitConfig {
    /// For how long git may say nothing unless said.
    pub const SILENCE: Duration = Duration::from_secs(25);

    /// A repository whose channels are the branches of the same names, and whose pull requests are the branches
    /// `update/*`.
    #[must_use]
    pub fn new(remote: impl Into<String>, folder: impl Into<PathBuf>) -> Self {
        Self {
            remote: remote.into(),
            folder: folder.into(),
            channels: BTreeMap::new(),
            pull_requests: vec![PullRequestRefs::new("refs/heads/update/*")],
            updates: Updates::default(),
            url: None,
            identity: None,
            credential: None,
            silence: Self::SILENCE,
        }
    }

    /// The branch that a channel stands for.
    pub(super) fn branch<'a>(&'a self, channel: &'a ChannelName) -> &'a str {
        self.channels.get(channel).map_or(channel.as_str(), String::as_str)
    }
}

impl fmt::Debug for GitConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { folder, channels, pull_requests, updates, url, identity, credential, silence, .. } = self;
        f.debug_struct("GitConfig")
            .field("remote", &without_credentials(&self.remote))
            .field("folder", folder)
            .field("channels", channels)
            .field("pull_requests", pull_requests)
            .field("updates", updates)
            .field("url", url)
            .field("identity", identity)
            .field("credential", credential)
            .field("silence", silence)
            .finish()
    }
}

/// Refs that are pull requests.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PullRequestRefs {
    /// A ref with one star. Of a branch, the id is its name: `refs/heads/update/*` has `update/nixpkgs`. Of any
    /// other ref it is what the star stands for: `refs/pull/*/head` has `42`.
    pub pattern: String,
    /// The channel that they are merged into.
    pub channel: ChannelName,
}

impl PullRequestRefs {
    /// Refs that are pull requests into `main`.
    #[must_use]
    pub fn new(pattern: impl Into<String>) -> Self {
        Self { pattern: pattern.into(), channel: ChannelName::main() }
    }

    /// The same, into another channel.
    #[must_use]
    pub fn into_channel(self, channel: ChannelName) -> Self {
        Self { channel, ..self }
    }

    /// The id of the one that the star makes of this.
    pub(super) fn id(&self, star: &str) -> String {
        match self.pattern.strip_prefix("refs/heads/") {
            Some(branch) => branch.replacen('*', star, 1),
            None => star.to_owned(),
        }
    }
}

/// Who makes merges and reverts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity {
    /// A name.
    pub name: String,
    /// An address.
    pub email: String,
}

impl Default for Identity {
    /// This program, at no address.
    fn default() -> Self {
        Self { name: "compartment".to_owned(), email: "noreply@compartment.invalid".to_owned() }
    }
}

/// What a remote over HTTP asks for. It goes to git through its environment, as a credential helper: in no argument,
/// no file, no address, no error and no `Debug` output.
#[derive(Clone, PartialEq, Eq)]
pub struct Credential {
    pub(super) user: String,
    pub(super) token: String,
}

impl Credential {
    /// The user that forges take with a token of theirs.
    pub(super) const ANY_USER: &str = "x-access-token";

    /// A user and a password, or a token in its stead.
    #[must_use]
    pub fn new(user: &str, token: &str) -> Self {
        Self { user: user.to_owned(), token: token.to_owned() }
    }

    /// A token that says itself whose it is.
    #[must_use]
    pub fn token(token: &str) -> Self {
        Self::new(Self::ANY_USER, token)
    }
}

impl fmt::Debug for Credential {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Credential(…)")
    }
}

/// Why there is no forge.
#[derive(Debug, thiserror::Error)]
pub enum GitForgeError {
    /// git does not work.
    #[error(transparent)]
    Git(#[from] GitError),
    /// git is too old to merge without a work tree.
    #[error("git 2.38 or newer is needed to merge without a work tree; this is {0}")]
    TooOld(String),
    /// The address cannot be used.
    #[error("the address of the repository cannot be used: {0}")]
    Remote(&'static str),
    /// A credential would be sent in the clear.
    #[error(
        "{0} is not encrypted, and the credential could be read on the way: use https, ssh, or a repository on this machine"
    )]
    Plain(String),
    /// What is to count as a pull request is no ref with a star.
    #[error("`{0}` names no pull requests: a ref with one star is needed, such as refs/heads/update/*")]
    Pattern(String),
    /// What a channel is to stand for is no branch.
    #[error("`{0}` is no name of a branch")]
    Branch(String),
    /// A credential that no line can hold.
    #[error("the credential holds a line break")]
    Credential,
    /// The folder cannot be made, or others may change what is in it.
    #[error("the folder {} for the mirror cannot be used: {source}", folder.display())]
    Folder {
        /// Where it was to be.
        folder: PathBuf,
        /// The cause.
        source: std::io::Error,
    },
}

/// Whether git would take it as a ref, or as the branch of one.
pub(super) fn is_ref(name: &str) -> bool {
    let odd = |c: char| c.is_control() || matches!(c, ' ' | '~' | '^' | ':' | '?' | '*' | '[' | '\\');
    let part = |part: &str| !part.is_empty() && !part.starts_with('.') && !part.ends_with(".lock");
    !name.contains(odd)
        && !name.contains("..")
        && !name.contains("@{")
        && !name.starts_with('-')
        && !name.ends_with('.')
        && name != "@"
        && name.split('/').all(part)
}

/// Whether it is a ref with one star.
pub(super) fn is_pattern(pattern: &str) -> bool {
    pattern.starts_with("refs/")
        && pattern.matches('*').count() == 1
        && is_ref(&pattern.replacen('*', "x", 1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_come_from_branches_or_stars() {
        assert_eq!(PullRequestRefs::new("refs/heads/update/*").id("a/b"), "update/a/b");
        assert_eq!(PullRequestRefs::new("refs/pull/*/head").id("42"), "42");
    }

    #[test]
    fn names_are_checked_as_git_does() {
        for good in ["main", "a/b-c", "x.y"] {
            assert!(is_ref(good), "{good}");
        }
        for bad in
            ["", "/a", "a/", "-a", "a..b", "a b", "a:b", "a*", "a.lock", ".a", "a/.b", "a@{1}", "@", "a."]
        {
            assert!(!is_ref(bad), "{bad}");
        }
        assert!(is_pattern("refs/pull/*/head") && is_pattern("refs/heads/up*"));
        assert!(!is_pattern("refs/heads/update") && !is_pattern("heads/*") && !is_pattern("refs/*/*"));
    }

    #[test]
    fn no_debug_output_holds_a_secret() {
        let mut config = GitConfig::new("https://me:hush@git.example/x", "/tmp");
        config.credential = Some(Credential::token("hush"));
        assert!(!format!("{config:?}").contains("hush"), "{config:?}");
    }
}
