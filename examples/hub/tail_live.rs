//! Tails the live updates of a hub: a line for each host that has come to look different.
//!
//! `tail_live https://hub.example.org ~/.fleet-token`, and Ctrl-C ends it.

use std::collections::BTreeMap;
use std::error::Error;
use std::io::{self, Write};

use compartment_core::{HostId, ReadOptions};
use compartment_runtime::Clock;
use compartment_runtime::hub::SystemClock;
use compartment_transport_http::client::{Connection, Endpoint, Live, TokenSource, Update};
use futures::StreamExt;

/// Writes lines until there are so many. A connection that breaks comes back by itself, with growing waits.
pub async fn tail(connection: Connection, lines: usize, out: &mut impl Write) -> Result<(), Box<dyn Error>> {
    let (clock, options) = (SystemClock::default(), ReadOptions::default());
    let mut live = Live::new(connection);
    let mut shown: BTreeMap<HostId, String> = BTreeMap::new();
    let mut written = 0;
    while written < lines {
        match live.next().await {
            Some(Update::Changed) => {}
            // What was shown is as old as that from now on, and says so here.
            Some(Update::Lost(why)) => {
                writeln!(out, "lost: {why}")?;
                continue;
            }
            Some(Update::Back) => {
                writeln!(out, "back")?;
                continue;
            }
            None => break,
        }
        // The copy has the whole matrix: nothing has to be asked.
        let Some(matrix) = live.matrix(clock.wall(), &options) else { continue };
        shown.retain(|host, _| matrix.hosts.iter().any(|row| row.host == *host));
        for row in matrix.hosts {
            let line = row.to_string();
            if shown.get(&row.host) != Some(&line) {
                writeln!(out, "{line}")?;
                shown.insert(row.host, line);
                written += 1;
            }
        }
    }
    Ok(())
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let (Some(url), Some(token)) = (arguments.next(), arguments.next()) else {
        return Err("say where the hub is, and which file has the token".into());
    };
    let endpoint = Endpoint::new(&url, TokenSource::File(token.into()))?;
    tail(Connection::new(endpoint)?, usize::MAX, &mut io::stdout()).await
}
