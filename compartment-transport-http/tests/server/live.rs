//! Live updates through a connection that is cut and delayed.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use compartment_core::sync::{Message, Replica};
use compartment_core::{Matrix, ReadOptions};
use futures::StreamExt;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use super::world::{World, events, soon};

/// A proxy on the way to the hub that cuts each connection after some bytes, more with each.
async fn cutting_proxy(to: std::net::SocketAddr, cuts: Arc<AtomicUsize>) -> std::net::SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((mut client, _)) = listener.accept().await {
            let cuts = Arc::clone(&cuts);
            tokio::spawn(async move {
                let mut server = TcpStream::connect(to).await.unwrap();
                let mut allowed = 700 * (1 + cuts.load(Ordering::Relaxed));
                let (mut up, mut down) = ([0; 4096], [0; 512]);
                loop {
                    tokio::select! {
                        read = client.read(&mut up) => match read {
                            Ok(0) | Err(_) => return,
                            Ok(n) => server.write_all(&up[..n]).await.unwrap(),
                        },
                        read = server.read(&mut down) => match read {
                            Ok(0) | Err(_) => return,
                            Ok(n) if n > allowed => {
                                cuts.fetch_add(1, Ordering::Relaxed);
                                return;
                            }
                            Ok(n) => {
                                allowed -= n;
                                // Delayed: others go first.
                                tokio::task::yield_now().await;
                                if client.write_all(&down[..n]).await.is_err() {
                                    return;
                                }
                            }
                        },
                    }
                }
            });
        }
    });
    address
}

#[tokio::test]
async fn a_subscriber_over_a_connection_that_is_cut_ends_equal_to_the_matrix() {
    let world = World::new().await;
    let cuts = Arc::new(AtomicUsize::new(0));
    let proxy = cutting_proxy(world.address, Arc::clone(&cuts)).await;
    let (mut replica, mut last, mut resumed) = (Replica::new(), None::<String>, 0);
    let mut said = 0;
    let ends_equal = async {
        loop {
            let mut request = world.client.get(format!("http://{proxy}/v1/live")).bearer_auth(&world.reader);
            if let Some(id) = &last {
                request = request.header("last-event-id", id);
            }
            let Ok(answer) = request.send().await else { continue };
            let mut updates = events(answer);
            let mut first = true;
            while let Some(update) = updates.next().await {
                let message: Message = serde_json::from_str(&update.data).unwrap();
                resumed += usize::from(first && last.is_some() && !matches!(message, Message::Init { .. }));
                first = false;
                replica.take(message).expect("what comes follows");
                last = Some(update.id);
                let copy = replica.matrix(world.hub.now(), &ReadOptions::default()).unwrap();
                if cuts.load(Ordering::Relaxed) > 20
                    && same(&copy, &world.hub.matrix(&ReadOptions::default()).unwrap())
                {
                    return;
                }
                // Every update is answered with another change, until there were enough cuts.
                if cuts.load(Ordering::Relaxed) <= 20 {
                    said += 1;
                    let line =
                        format!(r#"{{"host":"gpc{}","type":"pull-ok","commit":"{said:07x}"}}"#, said % 2);
                    assert_eq!(world.says(&format!("gpc{}", said % 2), &line).await.status(), 200);
                }
            }
        }
    };
    soon(ends_equal).await;
    assert!(resumed > 0, "at least once it went on where it was");
    let told: Matrix = soon(world.get("/v1/matrix").send()).await.unwrap().json().await.unwrap();
    let copy = replica.matrix(told.as_of, &ReadOptions::default()).unwrap();
    assert!(same(&copy, &told));
}

fn same(one: &Matrix, other: &Matrix) -> bool {
    (&one.hosts, &one.fleet) == (&other.hosts, &other.fleet)
}
