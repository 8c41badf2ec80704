//! A way to the hub on which an answer is lost.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

/// Between the hub and the host: it passes on what is asked, and loses the first answer to an exchange.
pub(crate) fn lossy(hub: &str) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let (hub, lost) = (hub.strip_prefix("http://").unwrap().to_owned(), Arc::new(AtomicBool::new(false)));
    std::thread::spawn(move || {
        for client in listener.incoming().map_while(Result::ok) {
            let (hub, lost) = (TcpStream::connect(&hub).unwrap(), Arc::clone(&lost));
            let loses = Arc::new(Mutex::new(false));
            let pipe = |mut from: TcpStream, mut to: TcpStream, asks: bool| {
                let (lost, loses) = (Arc::clone(&lost), Arc::clone(&loses));
                std::thread::spawn(move || {
                    let mut bytes = [0; 65536];
                    while let Ok(count @ 1..) = from.read(&mut bytes) {
                        let exchanges = String::from_utf8_lossy(&bytes[..count]).contains("/token HTTP");
                        if asks && exchanges && !lost.swap(true, Ordering::Relaxed) {
                            *loses.lock().unwrap() = true;
                        }
                        if !asks && *loses.lock().unwrap() {
                            break;
                        }
                        to.write_all(&bytes[..count]).unwrap_or(());
                    }
                    drop(to.shutdown(Shutdown::Both));
                });
            };
            pipe(client.try_clone().unwrap(), hub.try_clone().unwrap(), true);
            pipe(hub, client, false);
        }
    });
    format!("http://{address}")
}
