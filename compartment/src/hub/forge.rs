//! Where a hub looks for what is desired, and where it merges: from the command line to a forge.

use std::collections::BTreeMap;
use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use clap::Args;
use compartment_core::{ChannelName, Span, Text};
use compartment_forge::git::{Credential, GitConfig, GitForge, GitForgeError, PullRequestRefs};
use compartment_forge::github::{GitHubConfig, GitHubForge, Reverts};
use compartment_forge::published::{Published, PublishedFile};
use compartment_forge::{Token, Updates};
use compartment_local::run::Stop;
use compartment_runtime::hub::Config;
use compartment_runtime::{Forge, Owner, read_secret};
use compartment_transport_http::server::Webhook;

use super::ServeError;

/// Where a hub looks for what is desired, and where it merges.
#[derive(Clone, Debug, Args)]
pub struct ForgeArgs {
    /// Where what is desired comes from: the address or path of a repository, `github:OWNER/NAME`, or
    /// `published:URL` of a file that says it. Without, nobody knows what is desired, also where it was known before.
    #[arg(long, value_name = "WHERE", env = "COMPARTMENT_FORGE", hide_env_values = true)]
    pub forge: Option<Where>,

    /// The branch that hosts follow.
    #[arg(long, value_name = "NAME", default_value = "main")]
    pub branch: String,

    /// How many seconds between two looks at the repository.
    #[arg(long, value_name = "SECONDS", default_value_t = 60, value_parser = clap::value_parser!(u64).range(1..))]
    pub look_every: u64,

    /// For how many seconds whoever is asked there may say nothing. git goes on fetching for as long as it says how far it is.
    #[arg(long, value_name = "SECONDS", default_value_t = 25, value_parser = clap::value_parser!(u64).range(1..=3600))]
    pub forge_silence: u64,

    /// Of a plain repository: the branches that are pull requests, or refs such as `refs/pull/*/head`.
    #[arg(long, value_name = "PATTERN", default_value = "update/*")]
    pub updates: Vec<String>,

    /// On GitHub: pull requests with this label are updates [default: those that change flake.lock].
    #[arg(long = "update-label", value_name = "LABEL")]
    pub labels: Vec<String>,

    /// Pull requests whose title says this are updates [default: those that change flake.lock].
    #[arg(long = "update-title", value_name = "WORDS")]
    pub titles: Vec<String>,

    /// A file with the token for GitHub, or for a repository over HTTPS; nothing else is in it.
    #[arg(long, value_name = "FILE", requires = "forge")]
    pub forge_token_file: Option<PathBuf>,

    /// The address of GitHub's API, for an Enterprise Server.
    #[arg(long, value_name = "URL", default_value = "https://api.github.com")]
    pub github_api: String,
}

/// Where what is desired comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Where {
    /// A repository that git reaches.
    Git(String),
    /// A repository on GitHub.
    GitHub {
        /// Whose it is.
        owner: String,
        /// Its name.
        repository: String,
    },
    /// A file over HTTP.
    Published(String),
}

impl fmt::Display for Where {
    /// As it is written, with the secrets that are in it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Git(address) => f.write_str(address),
            Self::GitHub { owner, repository } => write!(f, "github:{owner}/{repository}"),
            Self::Published(url) => write!(f, "published:{url}"),
        }
    }
}

impl FromStr for Where {
    type Err = String;

    fn from_str(raw: &str) -> Result<Self, String> {
        match raw.split_once(':') {
            Some(("github", name)) => match name.split_once('/') {
                Some((owner, repository)) if !owner.is_empty() && !repository.is_empty() => {
                    Ok(Self::GitHub { owner: owner.to_owned(), repository: repository.to_owned() })
                }
                Some(_) | None => Err("github:OWNER/NAME is expected".to_owned()),
            },
            Some(("published", url)) => Ok(Self::Published(url.to_owned())),
            Some(_) | None if raw.is_empty() => {
                Err("the address or path of a repository is expected".to_owned())
            }
            Some(_) | None => Ok(Self::Git(raw.to_owned())),
        }
    }
}

/// Why nothing is known any more of what is desired, where no forge was named.
#[must_use]
pub fn no_forge() -> Text {
    Text::from("nobody looks at the repository: this was started without --forge (COMPARTMENT_FORGE)")
}

impl ForgeArgs {
    /// A hub's limits where it has this forge.
    #[must_use]
    pub fn config(&self) -> Config {
        Config {
            look_every: Span::from_secs(self.look_every),
            // A little longer than the forge itself waits: what it says then is worth more.
            patience: Config::default().patience.max(Span::from_secs(self.forge_silence + 5)),
            ..Config::default()
        }
    }

    /// The forge; what git keeps of it lies in `folder`.
    ///
    /// # Errors
    /// [`ServeError::Forge`]: it cannot be used as the command line says.
    pub fn open(&self, folder: &Path, stop: Stop) -> Result<Option<Arc<dyn Forge>>, ServeError> {
        self.open_with(folder, stop, &[])
    }

    /// The same, where hosts follow other channels, too: each is the branch of its name.
    ///
    /// # Errors
    /// As for [`open`](Self::open).
    pub fn open_with(
        &self,
        folder: &Path,
        stop: Stop,
        others: &[ChannelName],
    ) -> Result<Option<Arc<dyn Forge>>, ServeError> {
        let Some(place) = &self.forge else { return Ok(None) };
        let mut channels: BTreeMap<_, _> =
            others.iter().map(|channel| (channel.clone(), channel.to_string())).collect();
        channels.insert(ChannelName::main(), self.branch.clone());
        let updates = self.updates();
        let silence = Duration::from_secs(self.forge_silence);
        let forge: Arc<dyn Forge> = match place {
            Where::Git(remote) => Arc::new(self.git(remote, channels, silence, folder, stop)?),
            Where::GitHub { owner, repository } => {
                let token =
                    self.forge_token_file.as_ref().map(Token::from_file).transpose().map_err(failed)?;
                let config = GitHubConfig {
                    channels,
                    updates,
                    api: self.github_api.clone(),
                    timeout: silence,
                    reverts: Some(Reverts { silence, ..Reverts::new(folder) }),
                    ..GitHubConfig::new(owner, repository, token)
                };
                Arc::new(GitHubForge::new(config).map_err(failed)?)
            }
            Where::Published(url) => {
                let places = channels
                    .into_iter()
                    .map(|(channel, branch)| (channel, PublishedFile { url: url.clone(), branch }));
                Arc::new(Published::new(places, silence).map_err(failed)?)
            }
        };
        Ok(Some(forge))
    }

    /// A repository that git reaches.
    ///
    /// # Errors
    /// [`ServeError::Forge`]: it cannot be used as the command line says.
    pub(crate) fn git(
        &self,
        remote: &str,
        channels: BTreeMap<ChannelName, String>,
        silence: Duration,
        folder: &Path,
        stop: Stop,
    ) -> Result<GitForge, ServeError> {
        // A path is meant from here, wherever git runs.
        let remote = fs::canonicalize(remote)
            .map_or_else(|_| remote.to_owned(), |path| path.to_string_lossy().into_owned());
        let credential = self.secret(self.forge_token_file.as_deref())?;
        let config = GitConfig {
            channels,
            updates: self.updates(),
            silence,
            pull_requests: self.updates.iter().map(|pattern| refs(pattern)).collect(),
            credential: credential.map(|token| Credential::token(&token)),
            ..GitConfig::new(remote, folder)
        };
        GitForge::open(config, stop).map_err(|error| self.as_typed(&error))
    }

    fn updates(&self) -> Updates {
        Updates {
            labels: self.labels.clone(),
            titles: self.titles.clone(),
            changed_lock: self.labels.is_empty() && self.titles.is_empty(),
        }
    }

    /// What is wrong, by the names that were typed.
    fn as_typed(&self, error: &GitForgeError) -> ServeError {
        match error {
            GitForgeError::Branch(branch) => failed(format!("--branch: `{branch}` is no name of a branch")),
            GitForgeError::Pattern(pattern) => {
                let typed =
                    self.updates.iter().find(|typed| refs(typed).pattern == *pattern).unwrap_or(pattern);
                failed(format!(
                    "--updates: `{typed}` names no pull requests: a pattern with one star is needed, such as update/* or \
                     refs/pull/*/head"
                ))
            }
            GitForgeError::Remote(why) => {
                failed(format!("--forge: the repository's address cannot be used: {why}"))
            }
            GitForgeError::Git(_)
            | GitForgeError::TooOld(_)
            | GitForgeError::Plain(_)
            | GitForgeError::Credential
            | GitForgeError::Folder { .. } => failed(error),
        }
    }

    /// What the forge signs its notices with.
    ///
    /// # Errors
    /// [`ServeError::Forge`] where the secret cannot be read, or is too short.
    pub fn webhook(&self, file: Option<&Path>) -> Result<Option<Webhook>, ServeError> {
        let secret = self.secret(file)?;
        secret.map(|secret| Webhook::new(secret.as_bytes()).map_err(failed)).transpose()
    }

    fn secret(&self, file: Option<&Path>) -> Result<Option<String>, ServeError> {
        let Some(file) = file else { return Ok(None) };
        let read = read_secret(file, Owner::Trusted, 4096).map_err(failed)?;
        let text = String::from_utf8(read).map_err(|_| failed(format!("{} is no text", file.display())))?;
        match text.trim() {
            "" => Err(failed(format!("{} is empty", file.display()))),
            secret => Ok(Some(secret.to_owned())),
        }
    }
}

fn failed(error: impl fmt::Display) -> ServeError {
    ServeError::Forge(Text::new(&error.to_string()))
}

/// A pattern of branches, unless it says that it is one of refs.
fn refs(pattern: &str) -> PullRequestRefs {
    match pattern.starts_with("refs/") {
        true => PullRequestRefs::new(pattern),
        false => PullRequestRefs::new(format!("refs/heads/{pattern}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_wrong_has_the_name_that_was_typed() {
        use clap::Parser as _;
        #[derive(Debug, clap::Parser)]
        struct Cli {
            #[command(flatten)]
            forge: ForgeArgs,
        }
        let folder = tempfile::tempdir().unwrap();
        for (typed, said) in [
            (["--branch", "a:b"], "--branch: `a:b` is no name"),
            (["--updates", "a^b"], "--updates: `a^b` names no pull requests"),
            (["--updates", "refs/pull/1"], "--updates: `refs/pull/1` names no pull requests"),
        ] {
            let cli = Cli::parse_from(["hub", "--forge", "/srv/x.git"].into_iter().chain(typed));
            let error = cli.forge.open(folder.path(), Stop::default()).map(drop).unwrap_err().to_string();
            assert!(error.contains(said), "{error}");
        }
    }

    #[test]
    fn a_place_is_told_by_its_beginning() {
        let read = |raw: &str| raw.parse::<Where>();
        let git = |raw: &str| Ok(Where::Git(raw.to_owned()));
        for raw in
            ["https://git.example.org/config.git", "git@git.example.org:config.git", "../config", "config"]
        {
            assert_eq!(read(raw), git(raw));
        }
        let (owner, repository) = ("example".to_owned(), "config".to_owned());
        assert_eq!(read("github:example/config"), Ok(Where::GitHub { owner, repository }));
        assert_eq!(
            read("published:https://x.example/d.json"),
            Ok(Where::Published("https://x.example/d.json".to_owned()))
        );
        for bad in ["", "github:example", "github:/x"] {
            assert!(read(bad).is_err(), "{bad}");
        }
    }
}
