//! The certificate, and how a renewed one comes to count.

use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use axum_server::tls_rustls::RustlsConfig;
use compartment_runtime::{FileIdentity, Owner, read_secret};
use rustls::pki_types::pem::{self, PemObject};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ServerConfig, crypto::ring};

use super::error::TlsError;
use super::{TlsFiles, Validity};

/// A chain of certificates takes some kilobytes; whatever is longer is something else.
const MOST_BYTES: u64 = 1 << 20;

/// What the server shows to those who connect, and the files that it comes from.
pub(super) struct Certificate {
    files: TlsFiles,
    seen: Option<[FileIdentity; 2]>,
    config: RustlsConfig,
}

impl Certificate {
    pub(super) fn load(files: TlsFiles) -> Result<Self, TlsError> {
        // Before reading: what changes in between is then read once more, not missed.
        let seen = identities(&files);
        let config = RustlsConfig::from_config(read(&files)?);
        Ok(Self { files, seen, config })
    }

    /// What is shown to those who connect now and, with [`Certificate::renew`], later.
    pub(super) fn config(&self) -> RustlsConfig {
        self.config.clone()
    }

    /// Reads the files again whenever they have changed, for ever. While they are no good, or fit no longer
    /// because one of the two is yet to be renewed, the server goes on with what it had.
    pub(super) async fn renew(mut self) {
        loop {
            tokio::time::sleep(self.files.look_every).await;
            let files = self.files.clone();
            let seen = self.seen;
            let looked = tokio::task::spawn_blocking(move || {
                let found = identities(&files);
                (found != seen).then(|| (found, read(&files)))
            });
            let Ok(Some((found, read))) = looked.await else { continue };
            self.seen = found;
            self.take(read);
        }
    }

    fn take(&self, read: Result<Arc<ServerConfig>, TlsError>) {
        match read {
            Ok(config) => {
                self.config.reload_from_config(config);
                tracing::info!(file = %self.files.certificate.display(), "the certificate was renewed");
            }
            Err(error) => tracing::warn!("the certificate has changed, the old one is used on: {error}"),
        }
    }
}

fn identities(files: &TlsFiles) -> Option<[FileIdentity; 2]> {
    let [certificate, key] = [&files.certificate, &files.key].map(|path| FileIdentity::of_path(path));
    Some([certificate.ok()?, key.ok()?])
}

/// What is wrong with the files, and when the server's own certificate counts.
pub(super) fn check(files: &TlsFiles) -> Result<Option<Validity>, TlsError> {
    read(files)?;
    Ok(certificates(&files.certificate)?.first().and_then(|own| Validity::of(own)))
}

fn certificates(file: &Path) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let read: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&read_file(file)?).collect();
    match read {
        Ok(none) if none.is_empty() => Err(TlsError::NoCertificate(file.to_owned())),
        Ok(certificates) => Ok(certificates),
        Err(error) => Err(broken(file, &error)),
    }
}

fn read(files: &TlsFiles) -> Result<Arc<ServerConfig>, TlsError> {
    let certificates = certificates(&files.certificate)?;
    let key = match PrivateKeyDer::from_pem_slice(&read_secret(&files.key, Owner::Any, MOST_BYTES)?) {
        Ok(key) => key,
        Err(pem::Error::NoItemsFound) => return Err(TlsError::NoKey(files.key.clone())),
        Err(error) => return Err(broken(&files.key, &error)),
    };
    // Ring by name: which provider a process has by default is for its main program to say, not for a library.
    let mut config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .and_then(|builder| builder.with_no_client_auth().with_single_cert(certificates, key))
        .map_err(|error| unusable(files, &error))?;
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(Arc::new(config))
}

fn read_file(path: &Path) -> Result<Vec<u8>, TlsError> {
    let failed = |source| TlsError::Read { file: path.to_owned(), source };
    let mut bytes = Vec::new();
    let file = File::open(path).map_err(failed)?;
    file.take(MOST_BYTES + 1).read_to_end(&mut bytes).map_err(failed)?;
    if bytes.len() as u64 > MOST_BYTES {
        return Err(failed(io::Error::other("it is longer than 1 MiB")));
    }
    Ok(bytes)
}

fn broken(path: &Path, error: &pem::Error) -> TlsError {
    TlsError::Broken { file: path.to_owned(), why: error.to_string() }
}

fn unusable(files: &TlsFiles, error: &rustls::Error) -> TlsError {
    let (certificate, key): (PathBuf, PathBuf) = (files.certificate.clone(), files.key.clone());
    if matches!(error, rustls::Error::InconsistentKeys(_)) {
        TlsError::Mismatch { certificate, key }
    } else {
        TlsError::Unusable { certificate, key, why: error.to_string() }
    }
}
