//! A log of your own, in the small: a file of NDJSON, which `compartment fold` reads as it is.

use std::error::Error;
use std::fs;
use std::io::{self, Write};
use std::path::Path;
use std::sync::Arc;

use compartment_core::{HostId, ReadOptions, ndjson};
use compartment_runtime::hub::{Config, Configuration, Hub, Ports};

mod own_log_file;
pub use own_log_file::FileLog;

/// A hub on this log that knows a host; and what `compartment fold` finds in its file.
pub async fn run(folder: &Path, out: &mut impl Write) -> Result<(), Box<dyn Error>> {
    let ports = Ports::new(Arc::new(FileLog::open(folder).await?));
    let hub = Hub::start(ports, Config::default()).await?;
    hub.configure(HostId::new("gpc0")?, Configuration::default()).await?;
    hub.shutdown().await;
    let fleet = ndjson::fold(&fs::read(folder.join("log.ndjson"))?)?;
    Ok(write!(out, "{}", fleet.matrix(fleet.at(), &ReadOptions::default()))?)
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let folder = std::env::args_os().nth(1).ok_or("say in which folder the log is")?;
    run(Path::new(&folder), &mut io::stdout()).await
}
