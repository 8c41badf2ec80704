//! Why a host was not enrolled, or not to the end.

use std::io;
use std::path::{Path, PathBuf};

use compartment_core::{HostId, Text};
use compartment_transport_http::agent::ConfigError;
use compartment_transport_http::client::{ClientError, EndpointError};

use super::BadLine;

/// Why a host was not enrolled, or not to the end. None of it shows the code or a token.
#[derive(Debug, thiserror::Error)]
pub enum EnrolError {
    /// The line is none.
    #[error(transparent)]
    Line(#[from] BadLine),
    /// The line, or an answer, cannot be read.
    #[error("cannot read from standard input: {0}")]
    Input(io::Error),
    /// Nobody knows where a user's files go.
    #[error("HOME is not set, and says nothing of where the settings go: give --config and --state")]
    NoHome,
    /// The settings would be where the token goes.
    #[error("{} is where the token goes: name the file of settings otherwise", shown(.0))]
    Config(PathBuf),
    /// Nobody knows whose commands to run.
    #[error(
        "this is no NixOS, nix-darwin or home-manager that can be told: say --platform nixos, nix-darwin, home-manager, or \
         none"
    )]
    Platform,
    /// A platform that is none.
    #[error("`{0}` is no platform: nixos, nix-darwin, home-manager or none is")]
    NoPlatform(Text),
    /// Nobody knows what to clone.
    #[error("there is no checkout in {} yet: say --remote, which the first pull clones it from", shown(.0))]
    Remote(PathBuf),
    /// The address cannot be used.
    #[error("{0}. Nothing was done")]
    Address(EndpointError),
    /// The hub does not answer.
    #[error("{0}. Nothing was done, and the code is as it was: run the same line again")]
    Away(ClientError),
    /// Something is there.
    #[error(
        "{} is there already, and is something else. Nothing was done, and the code is as it was: --replace puts another in \
         its place",
        shown(.0)
    )]
    Exists(PathBuf),
    /// Somebody said no.
    #[error("nothing was done, and the code is as it was")]
    Declined,
    /// The hub does not take the code.
    #[error("the hub does not take the code: {0}. Nothing was left on this host")]
    Refused(ClientError),
    /// Nobody knows whether the hub has taken it.
    #[error(
        "{0}. Whether the hub has taken the code is not known: run the same line again, which goes on from here"
    )]
    Lost(ClientError),
    /// A file or folder.
    #[error("cannot {what} {}: {source}", shown(path))]
    File {
        /// What was tried.
        what: &'static str,
        /// With what.
        path: PathBuf,
        /// The cause.
        source: io::Error,
    },
    /// The settings that were written.
    #[error(transparent)]
    Settings(#[from] ConfigError),
    /// The check found something.
    #[error(
        "{host} is enrolled, and the check found what is wrong: see above. Once that is mended, ask again: {again}"
    )]
    Check {
        /// The host.
        host: HostId,
        /// How to check again.
        again: String,
    },
    /// The service was not started.
    #[error("{0}. Once that is mended, run the same line again, which goes on from here")]
    Start(String),
    /// The system gives no thread.
    #[error("cannot run: {0}")]
    System(io::Error),
    /// The output.
    #[error("cannot write to the output: {0}")]
    Output(#[from] io::Error),
    /// Somebody asked to stop.
    #[error("interrupted")]
    Interrupted,
}

impl EnrolError {
    pub(super) fn file(what: &'static str, path: &Path, source: io::Error) -> Self {
        Self::File { what, path: path.to_owned(), source }
    }
}

/// A name that a terminal may be shown.
pub(super) fn shown(path: &Path) -> Text {
    Text::new(&path.to_string_lossy())
}
