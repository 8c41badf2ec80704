//! With TLS: certificates of our own making, and a client that trusts one of them.

use std::fs::{self, Permissions};
use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use compartment_runtime::write_private;
use compartment_transport_http::server::listen::{ConnectionLimits, Listen, ListenError, TlsError, TlsFiles};
use rcgen::{CertifiedKey, KeyPair, generate_simple_self_signed};
use rustls::pki_types::CertificateDer;
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned, crypto::ring};
use tempfile::TempDir;

use crate::support::{LIMIT, Server, loopback};

fn made() -> CertifiedKey<KeyPair> {
    generate_simple_self_signed(["hub.example".to_owned()]).unwrap()
}

/// Puts a file in its place as those do that renew certificates: at once.
fn put(path: &Path, text: &str) {
    let new = path.with_extension("new");
    write_private(&new, text).unwrap();
    fs::rename(&new, path).unwrap();
}

fn files(made: &CertifiedKey<KeyPair>) -> (TempDir, TlsFiles) {
    let folder = tempfile::tempdir().unwrap();
    let files = TlsFiles {
        look_every: Duration::from_millis(10),
        ..TlsFiles::new(folder.path().join("cert.pem"), folder.path().join("key.pem"))
    };
    put(&files.certificate, &made.cert.pem());
    put(&files.key, &made.signing_key.serialize_pem());
    (folder, files)
}

fn serve(files: &TlsFiles) -> Server {
    Server::start(Listen { tls: Some(files.clone()), ..loopback() })
}

/// One request by a client that trusts this certificate alone.
async fn get(address: SocketAddr, trusted: &CertificateDer<'static>) -> io::Result<String> {
    let mut roots = RootCertStore::empty();
    roots.add(trusted.clone()).unwrap();
    let request = move || {
        let mut config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(roots)
            .with_no_client_auth();
        config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        let socket = TcpStream::connect(address)?;
        socket.set_read_timeout(Some(LIMIT))?;
        let name = "hub.example".try_into().unwrap();
        let mut stream = StreamOwned::new(ClientConnection::new(Arc::new(config), name).unwrap(), socket);
        stream.write_all(b"GET / HTTP/1.1\r\nhost: hub.example\r\nconnection: close\r\n\r\n")?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer)?;
        assert_eq!(stream.conn.alpn_protocol(), Some(&b"http/1.1"[..]));
        Ok(answer)
    };
    tokio::task::spawn_blocking(request).await.unwrap()
}

/// Asks until the certificate is the one that is shown.
async fn comes_to_count(address: SocketAddr, certificate: &CertificateDer<'static>) {
    let asking = async {
        while get(address, certificate).await.is_err() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(LIMIT, asking).await.unwrap();
}

#[tokio::test]
async fn answers_those_who_trust_its_certificate() {
    let made = made();
    let (_folder, files) = files(&made);
    let server = serve(&files);
    let answer = get(server.address, made.cert.der()).await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 200 OK\r\n") && answer.ends_with("\r\n\r\nhello"), "{answer}");
    assert!(get(server.address, self::made().cert.der()).await.is_err());
    // Whoever speaks plain HTTP to it hears none.
    let mut plain = server.connect().await;
    plain.send("GET / HTTP/1.1\r\nhost: hub\r\n\r\n").await;
    assert!(!plain.closed().await.0.contains("HTTP"));
    assert!(Listen { tls: Some(files), ..Listen::on("0.0.0.0:0".parse().unwrap()) }.bind().is_ok());
}

#[tokio::test]
async fn a_renewed_certificate_counts_without_a_restart() {
    let (old, new) = (made(), made());
    let (_folder, files) = files(&old);
    let server = serve(&files);
    get(server.address, old.cert.der()).await.unwrap();
    // One file after the other, as they come: in between the old certificate is shown.
    put(&files.certificate, &new.cert.pem());
    tokio::time::sleep(files.look_every * 5).await;
    get(server.address, old.cert.der()).await.unwrap();
    put(&files.key, &new.signing_key.serialize_pem());
    comes_to_count(server.address, new.cert.der()).await;
    assert!(get(server.address, old.cert.der()).await.is_err());
}

#[tokio::test]
async fn what_is_broken_meanwhile_changes_nothing() {
    let (old, new) = (made(), made());
    let (_folder, files) = files(&old);
    let server = serve(&files);
    put(&files.certificate, "no certificate");
    tokio::time::sleep(files.look_every * 5).await;
    fs::remove_file(&files.key).unwrap();
    tokio::time::sleep(files.look_every * 5).await;
    get(server.address, old.cert.der()).await.unwrap();
    put(&files.certificate, &new.cert.pem());
    put(&files.key, &new.signing_key.serialize_pem());
    comes_to_count(server.address, new.cert.der()).await;
}

#[tokio::test]
async fn a_handshake_that_does_not_come_is_not_waited_for() {
    let (_folder, files) = files(&made());
    let handshake = Duration::from_millis(300);
    let limits = ConnectionLimits { handshake, head: LIMIT * 2, ..Default::default() };
    let server = Server::start(Listen { tls: Some(files), limits, ..loopback() });
    let (_, after) = server.connect().await.closed().await;
    assert!(after >= handshake - Duration::from_millis(50) && after < handshake * 10, "{after:?}");
    server.has_open(0).await;
}

#[test]
fn what_is_wrong_with_the_files_is_said_before_anything_runs() {
    let made = made();
    let (_folder, files) = files(&made);
    let refused = || {
        let listen = Listen { tls: Some(files.clone()), ..loopback() };
        let refused = listen.bind().err().unwrap();
        let text = refused.to_string();
        let ListenError::Tls(error) = refused else { unreachable!("{text}") };
        (error, text)
    };
    let good = made.cert.pem();
    fs::remove_file(&files.certificate).unwrap();
    let (error, text) = refused();
    assert!(matches!(error, TlsError::Read { .. }) && text.contains("cert.pem"), "{text}");

    put(&files.certificate, &made.signing_key.serialize_pem());
    let (error, text) = refused();
    assert!(matches!(error, TlsError::NoCertificate(_)) && text.contains("cert.pem"), "{text}");

    put(&files.certificate, &good[..good.len() / 2]);
    let (error, text) = refused();
    assert!(matches!(error, TlsError::Broken { .. }) && text.contains("cert.pem"), "{text}");

    put(&files.certificate, &self::made().cert.pem());
    let (error, text) = refused();
    assert!(matches!(error, TlsError::Mismatch { .. }), "{text}");
    assert!(text.contains("cert.pem") && text.contains("key.pem"), "{text}");

    put(&files.certificate, "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n");
    let (error, text) = refused();
    assert!(matches!(error, TlsError::Unusable { .. }), "{text}");

    put(&files.certificate, &good);
    fs::set_permissions(&files.key, Permissions::from_mode(0o644)).unwrap();
    let (error, text) = refused();
    assert!(matches!(error, TlsError::Key(_)) && text.contains("chmod 600"), "{text}");

    put(&files.key, &good);
    let (error, text) = refused();
    assert!(matches!(error, TlsError::NoKey(_)) && text.contains("key.pem"), "{text}");
}

#[test]
fn files_are_checked_without_a_server() {
    let (first, second) = (made(), made());
    let (_folder, files) = files(&first);
    let validity = files.check().unwrap().unwrap();
    assert!(validity.not_before < validity.not_after, "{validity:?}");
    put(&files.key, &second.signing_key.serialize_pem());
    assert!(matches!(files.check(), Err(TlsError::Mismatch { .. })));
    fs::remove_file(&files.certificate).unwrap();
    assert!(matches!(files.check(), Err(TlsError::Read { .. })));
}
