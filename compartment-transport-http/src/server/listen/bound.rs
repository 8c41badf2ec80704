//! From an address to answers.

use std::net::{SocketAddr, TcpListener};
use std::sync::Mutex;

use axum::Router;
use axum_server::accept::{TcpConfigAcceptor, TcpKeepaliveConfig, TcpSocketConfig};
use axum_server::tls_rustls::RustlsAcceptor;
use axum_server::{Handle, Server};

use super::admission::{Complaints, Connections};
use super::connection::ConnectionGuard;
use super::error::ListenError;
use super::tls::Certificate;
use super::{ConnectionLimits, Listen};

/// An address that is listened on, with all that is needed to answer there: nothing can be wrong any more
/// but what goes wrong while it runs. Peers that connect before [`Bound::serve`] wait for it.
pub struct Bound {
    socket: TcpListener,
    address: SocketAddr,
    listen: Listen,
    certificate: Option<Certificate>,
    connections: Connections,
}

impl Listen {
    /// Takes the address, and reads the certificate where there is one.
    ///
    /// # Errors
    /// [`ListenError`]: the address cannot be had or may not be, or the certificate is no good.
    pub fn bind(self) -> Result<Bound, ListenError> {
        self.refuse_plain(self.address)?;
        let failed = |source| ListenError::Bind { address: self.address, source };
        let socket = TcpListener::bind(self.address).map_err(failed)?;
        self.over(socket)
    }

    /// Uses a socket that listens already, as one that systemd hands over; its address counts, not
    /// [`Listen::address`].
    ///
    /// # Errors
    /// As for [`Listen::bind`].
    pub fn over(self, socket: TcpListener) -> Result<Bound, ListenError> {
        let failed = |source| ListenError::Bind { address: self.address, source };
        let address = socket.local_addr().map_err(failed)?;
        self.refuse_plain(address)?;
        socket.set_nonblocking(true).map_err(failed)?;
        let certificate = self.tls.clone().map(Certificate::load).transpose()?;
        let connections = Connections::new(&self.limits);
        Ok(Bound { socket, address, listen: self, certificate, connections })
    }

    fn refuse_plain(&self, address: SocketAddr) -> Result<(), ListenError> {
        if self.tls.is_some() || self.plain_beyond_loopback || address.ip().to_canonical().is_loopback() {
            Ok(())
        } else {
            Err(ListenError::PlainBeyondLoopback(address))
        }
    }
}

impl Bound {
    /// Where it listens, with the port that the system chose.
    #[must_use]
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// How many connections there are, to be asked while it runs.
    #[must_use]
    pub fn connections(&self) -> Connections {
        self.connections.clone()
    }

    /// Answers with `router` until `shutdown` is ready. Then nobody is admitted any more, what is under way
    /// has [`Listen::grace`] to end, and the rest is cut. Where the future is dropped, all is cut at once.
    ///
    /// To be called in a Tokio runtime with its timer and its I/O.
    ///
    /// # Errors
    /// [`ListenError::Serve`] when the socket cannot be used.
    pub async fn serve(self, router: Router, shutdown: impl Future<Output = ()>) -> Result<(), ListenError> {
        let Self { socket, address, listen, certificate, connections } = self;
        let failed = |source| ListenError::Serve { address, source };
        let handle = Handle::new();
        let cut = CutOnDrop(handle.clone());
        let server = axum_server::from_tcp(socket).map_err(failed)?.handle(handle.clone());
        let server = with_limits(server, &listen.limits);
        let limits = listen.limits;
        let sockets = TcpConfigAcceptor::new(socket_options(&limits));
        let config = certificate.as_ref().map(Certificate::config);
        let peers = router.into_make_service_with_connect_info::<SocketAddr>();
        let serving = async {
            match config {
                None => {
                    server
                        .acceptor(ConnectionGuard { inner: sockets, connections, limits })
                        .serve(peers)
                        .await
                }
                Some(config) => {
                    let tls =
                        RustlsAcceptor::new(config).handshake_timeout(limits.handshake).acceptor(sockets);
                    server.acceptor(ConnectionGuard { inner: tls, connections, limits }).serve(peers).await
                }
            }
        };
        let renewing = async {
            match certificate {
                Some(certificate) => certificate.renew().await,
                None => std::future::pending().await,
            }
        };
        let ending = async {
            shutdown.await;
            handle.graceful_shutdown(Some(listen.grace));
            std::future::pending::<()>().await;
        };
        let served = tokio::select! {
            served = serving => served,
            () = renewing => Ok(()),
            () = ending => Ok(()),
        };
        drop(cut);
        served.map_err(failed)
    }
}

/// Connections have tasks of their own, which would outlive a server that was given up.
struct CutOnDrop(Handle<SocketAddr>);

impl Drop for CutOnDrop {
    fn drop(&mut self) {
        self.0.shutdown();
    }
}

fn with_limits(server: Server<SocketAddr>, limits: &ConnectionLimits) -> Server<SocketAddr> {
    let complaints = Mutex::new(Complaints::default());
    let mut server = server.http1_only().accept_error_handler(move |peer, error| match peer {
        Some(peer) => tracing::debug!(%peer, %error, "a connection came to nothing"),
        None => {
            let due = complaints.lock().is_ok_and(|mut complaints| complaints.due());
            if due {
                tracing::warn!(%error, "cannot accept connections; trying again and again");
            }
        }
    });
    server
        .http_builder()
        .http1()
        // It begins anew with each wait for a head, and so bounds the idle time: see `connection`.
        .header_read_timeout(limits.idle.max(limits.head))
        // Hyper panics below its minimum.
        .max_buf_size(limits.head_bytes.max(8_192));
    server
}

fn socket_options(limits: &ConnectionLimits) -> TcpSocketConfig {
    let keepalive =
        TcpKeepaliveConfig::new().time(limits.vanished / 2).interval(limits.vanished / 6).retries(3);
    TcpSocketConfig::new().nodelay(true).keepalive(keepalive)
}
