//! Why nobody listens.

use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;

use compartment_runtime::SecretError;

/// Why an address is not listened on, or not any more.
#[derive(Debug, thiserror::Error)]
pub enum ListenError {
    /// Tokens would travel in the clear.
    #[error(
        "{0} can be reached by other machines, and without TLS whoever is between reads the tokens: give a certificate \
             and its key, listen on 127.0.0.1 or [::1] behind a proxy that has them, or allow plain HTTP explicitly \
             (`plain_beyond_loopback`) in a network where all are trusted"
    )]
    PlainBeyondLoopback(SocketAddr),
    /// The address cannot be had.
    #[error("cannot listen on {address}: {source}")]
    Bind {
        /// The address.
        address: SocketAddr,
        /// What the system said.
        source: io::Error,
    },
    /// The certificate or its key is no good.
    #[error(transparent)]
    Tls(#[from] TlsError),
    /// It broke while it ran.
    #[error("can no longer listen on {address}: {source}")]
    Serve {
        /// The address.
        address: SocketAddr,
        /// What the system said.
        source: io::Error,
    },
}

/// What is wrong with a certificate or its key.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// The file cannot be read.
    #[error("cannot read {}: {source}", .file.display())]
    Read {
        /// The file.
        file: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The key cannot be read, or others may read or change it.
    #[error("the key of the certificate: {0}")]
    Key(#[from] SecretError),
    /// There is no certificate in it.
    #[error("there is no certificate in {}: expected PEM, with a `BEGIN CERTIFICATE` line", .0.display())]
    NoCertificate(PathBuf),
    /// There is no key in it.
    #[error(
        "there is no private key in {}: expected PEM, with a `BEGIN PRIVATE KEY` line, and not encrypted",
        .0.display()
    )]
    NoKey(PathBuf),
    /// It is no PEM, or broken.
    #[error("{} is broken: {why}", .file.display())]
    Broken {
        /// The file.
        file: PathBuf,
        /// What is wrong.
        why: String,
    },
    /// One belongs to something else.
    #[error(
        "the key in {} does not fit the certificate in {}: give the two that were made together, the server's own \
             certificate first in its file",
        .key.display(),
        .certificate.display()
    )]
    Mismatch {
        /// The file of the certificate.
        certificate: PathBuf,
        /// The file of the key.
        key: PathBuf,
    },
    /// They fit, and still cannot be used.
    #[error("cannot use the certificate in {} with the key in {}: {why}", .certificate.display(), .key.display())]
    Unusable {
        /// The file of the certificate.
        certificate: PathBuf,
        /// The file of the key.
        key: PathBuf,
        /// What is wrong.
        why: String,
    },
}
