//! The way between an agent and its hub: it can be cut, and answers can be lost on it.

use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::runtime::Handle;
use tokio::sync::watch;

/// What becomes of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Way {
    Open,
    /// None comes to be, and those that there were are cut.
    Cut,
    /// What is said arrives; instead of the answer the connection breaks.
    Deaf,
}

pub(crate) struct Proxy {
    pub(crate) address: SocketAddr,
    way: watch::Sender<Way>,
    lost: Arc<AtomicUsize>,
    orders: Arc<AtomicUsize>,
    accepting: tokio::task::JoinHandle<()>,
}

impl Proxy {
    pub(crate) fn start(runtime: &Handle, to: SocketAddr) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        listener.set_nonblocking(true).unwrap();
        let address = listener.local_addr().unwrap();
        let (way, lost) = (watch::Sender::new(Way::Open), Arc::new(AtomicUsize::new(0)));
        let orders = Arc::new(AtomicUsize::new(0));
        let (ways, losses, passed) = (way.clone(), Arc::clone(&lost), Arc::clone(&orders));
        let accepting = runtime.spawn(async move {
            let listener = tokio::net::TcpListener::from_std(listener).unwrap();
            loop {
                let Ok((from, _)) = listener.accept().await else { continue };
                tokio::spawn(carry(from, to, ways.subscribe(), Arc::clone(&losses), Arc::clone(&passed)));
            }
        });
        Self { address, way, lost, orders, accepting }
    }

    pub(crate) fn set(&self, way: Way) {
        self.way.send_replace(way);
    }

    /// How many orders were passed on.
    pub(crate) fn orders(&self) -> usize {
        self.orders.load(Ordering::Relaxed)
    }

    /// How many answers were lost.
    pub(crate) fn lost(&self) -> usize {
        self.lost.load(Ordering::Relaxed)
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.accepting.abort();
        self.set(Way::Cut);
    }
}

async fn carry(
    mut from: TcpStream,
    to: SocketAddr,
    mut way: watch::Receiver<Way>,
    lost: Arc<AtomicUsize>,
    orders: Arc<AtomicUsize>,
) {
    if *way.borrow() == Way::Cut {
        return;
    }
    let Ok(mut to) = TcpStream::connect(to).await else { return };
    let (mut asked, mut answered) = (vec![0; 16 << 10], vec![0; 16 << 10]);
    loop {
        tokio::select! {
            changed = way.changed() => if changed.is_err() || *way.borrow() == Way::Cut { return },
            read = from.read(&mut asked) => {
                let Ok(count @ 1..) = read else { return };
                if to.write_all(&asked[..count]).await.is_err() {
                    return;
                }
            }
            read = to.read(&mut answered) => {
                let Ok(count @ 1..) = read else { return };
                if *way.borrow() == Way::Deaf {
                    lost.fetch_add(1, Ordering::Relaxed);
                    return;
                }
                if from.write_all(&answered[..count]).await.is_err() {
                    return;
                }
                if answered[..count].windows(12).any(|bytes| bytes == b"event: order") {
                    orders.fetch_add(1, Ordering::Relaxed);
                }
            }
        }
    }
}
