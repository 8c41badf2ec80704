//! One connection: admitted or not, and held to its times.
//!
//! Hyper's `header_read_timeout` runs whenever it waits for a head, which is also while a kept-alive
//! connection waits for its next request. One number cannot be both the 10 s of a slow head and the
//! 75 s of an idle agent. So hyper is given the longer one, and [`Guarded`] ends a head that has begun.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use axum::body::Body;
use axum::http::{Request, Response};
use axum_server::accept::Accept;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tower_service::Service;

use super::ConnectionLimits;
use super::admission::{Connections, Slot};
use super::deadline::Deadline;
use crate::server::answer::Answer;

/// Admits connections, before anything is spent on them, and guards what `inner` makes of them.
#[derive(Clone)]
pub(super) struct ConnectionGuard<A> {
    pub(super) inner: A,
    pub(super) connections: Connections,
    pub(super) limits: ConnectionLimits,
}

type Accepting<I, S> = Pin<Box<dyn Future<Output = io::Result<(Guarded<I>, Counting<S>)>> + Send>>;

impl<A, S> Accept<TcpStream, S> for ConnectionGuard<A>
where
    A: Accept<TcpStream, S, Future: Send + 'static>,
{
    type Stream = Guarded<A::Stream>;
    type Service = Counting<A::Service>;
    type Future = Accepting<A::Stream, A::Service>;

    fn accept(&self, stream: TcpStream, service: S) -> Self::Future {
        let admitted = stream.peer_addr().and_then(|peer| self.connections.admit(peer.ip()));
        let (head, stalled) = (self.limits.head, self.limits.stalled);
        let vanished = self.limits.vanished;
        let accepting = admitted.and_then(|place| {
            give_up_after(&stream, vanished)?;
            Ok((place, self.inner.accept(stream, service)))
        });
        Box::pin(async move {
            let (place, accepting) = accepting?;
            let (io, service) = accepting.await?;
            let requests = Arc::new(Requests::default());
            let guarded = Guarded::new(io, Arc::clone(&requests), head, stalled, place);
            Ok((guarded, Counting { service, requests }))
        })
    }
}

/// Keepalive tells of a peer that is gone while nothing is sent. While something is, as to a stream, the kernel
/// would repeat itself for a quarter of an hour.
#[cfg(target_os = "linux")]
fn give_up_after(stream: &TcpStream, span: Duration) -> io::Result<()> {
    let millis = u32::try_from(span.as_millis()).unwrap_or(u32::MAX);
    Ok(rustix::net::sockopt::set_tcp_user_timeout(stream, millis)?)
}

#[cfg(not(target_os = "linux"))]
fn give_up_after(_: &TcpStream, _: Duration) -> io::Result<()> {
    Ok(())
}

/// The requests of one connection: those that have begun, and those whose answer has left.
#[derive(Default)]
struct Requests {
    begun: AtomicU64,
    ended: AtomicU64,
}

/// A connection's bytes: it fails where a request's head, or the taking of an answer, takes too long.
pub(super) struct Guarded<I> {
    io: I,
    requests: Arc<Requests>,
    /// How many requests there had been when the head began that is being read.
    before: u64,
    head: Deadline,
    stalled: Deadline,
    _place: Slot,
}

impl<I> Guarded<I> {
    fn new(io: I, requests: Arc<Requests>, head: Duration, stalled: Duration, place: Slot) -> Self {
        let mut head = Deadline::new(head);
        head.begin();
        Self { io, requests, before: 0, head, stalled: Deadline::new(stalled), _place: place }
    }

    /// Whether what is read now belongs to a head: no request is under way.
    fn expects_head(&mut self) -> bool {
        let begun = self.requests.begun.load(Ordering::Acquire);
        if begun != self.before {
            self.before = begun;
            self.head.end();
        }
        self.requests.ended.load(Ordering::Acquire) == begun
    }

    fn unless_stalled<T>(&mut self, cx: &mut Context<'_>, done: Poll<io::Result<T>>) -> Poll<io::Result<T>> {
        if done.is_ready() {
            self.stalled.end();
            return done;
        }
        self.stalled.begin();
        ready!(self.stalled.poll(cx));
        Poll::Ready(Err(io::Error::new(io::ErrorKind::TimedOut, "the peer takes nothing of what it is sent")))
    }
}

impl<I: AsyncRead + Unpin> AsyncRead for Guarded<I> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = &mut *self;
        let expects_head = this.expects_head();
        let before = buf.filled().len();
        let read = Pin::new(&mut this.io).poll_read(cx, buf);
        if !expects_head {
            return read;
        }
        if read.is_pending() {
            ready!(this.head.poll(cx));
            return Poll::Ready(Err(io::Error::new(
                io::ErrorKind::TimedOut,
                "no whole request came in time",
            )));
        }
        if buf.filled().len() > before {
            this.head.begin();
        }
        read
    }
}

impl<I: AsyncWrite + Unpin> AsyncWrite for Guarded<I> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.io).poll_write(cx, buf);
        self.unless_stalled(cx, written)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.io).poll_write_vectored(cx, bufs);
        self.unless_stalled(cx, written)
    }

    fn is_write_vectored(&self) -> bool {
        self.io.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let flushed = Pin::new(&mut self.io).poll_flush(cx);
        self.unless_stalled(cx, flushed)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let shut = Pin::new(&mut self.io).poll_shutdown(cx);
        self.unless_stalled(cx, shut)
    }
}

/// Answers requests, and lets the connection know when one is under way.
#[derive(Clone)]
pub(super) struct Counting<S> {
    service: S,
    requests: Arc<Requests>,
}

impl<S, R> Service<Request<R>> for Counting<S>
where
    S: Service<Request<R>, Response = Response<Body>, Future: Send + 'static>,
{
    type Response = Response<Answer<UnderWay>>;
    type Error = S::Error;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, S::Error>> + Send>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.service.poll_ready(cx)
    }

    fn call(&mut self, request: Request<R>) -> Self::Future {
        let under_way = UnderWay::new(&self.requests);
        let answer = self.service.call(request);
        Box::pin(async move { Ok(answer.await?.map(|body| Answer { body, until_taken: under_way })) })
    }
}

/// A request, until its answer has left or was given up.
pub(super) struct UnderWay(Arc<Requests>);

impl UnderWay {
    fn new(requests: &Arc<Requests>) -> Self {
        requests.begun.fetch_add(1, Ordering::AcqRel);
        Self(Arc::clone(requests))
    }
}

impl Drop for UnderWay {
    fn drop(&mut self) {
        self.0.ended.fetch_add(1, Ordering::AcqRel);
    }
}
