//! A forge of your own, in the small: a file says what is desired, and somebody else writes it. It merges nothing.

use std::error::Error;
use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use compartment_core::event::{Comparison, PullRequest, Via};
use compartment_core::{ChannelName, Commit, LockFile, LockHash, Text};
use compartment_runtime::hub::{Config, Hub, MemoryLog, Ports};
use compartment_runtime::{Ended, Forge, ForgeError, Look, MergeOrder, Moved, Proposal, RevertOrder};
use tokio::time::{sleep, timeout};

/// A file with one line: a commit, and the SHA-256 of its `flake.lock`, or `none` where it has none.
pub struct DesiredFile(pub PathBuf);

fn refused<T>(why: &str) -> Result<T, ForgeError> {
    Err(ForgeError::Refused(Text::new(why)))
}

/// Commit and lock in one read: two would mix what two writers said.
fn parse(line: &str) -> Result<(Commit, LockFile), Box<dyn Error>> {
    let (commit, lock) = line.trim().split_once(' ').ok_or("it is not a commit and a lock")?;
    let lock = if lock == "none" { LockFile::NoFile } else { LockHash::new(lock)?.into() };
    Ok((Commit::new(commit)?, lock))
}

#[async_trait]
impl Forge for DesiredFile {
    async fn look(&self, channel: &ChannelName) -> Result<Look, ForgeError> {
        if *channel != ChannelName::main() {
            return refused(&format!("there is no channel {channel}"));
        }
        // What fails here is asked for again, and after three times, or a minute, what is desired is not known.
        let fail = |why: String| ForgeError::Unreachable(Text::new(&format!("{}: {why}", self.0.display())));
        let line = fs::read_to_string(&self.0).map_err(|error| fail(error.to_string()))?;
        let (commit, lock) = parse(&line).map_err(|error| fail(error.to_string()))?;
        // `Via::Git` is for the repository itself. A copy may lag: an earlier commit is not believed at once.
        let (lock_hash, via) = (Some(lock), Via::Published);
        Ok(Look { commit, lock_hash, via, pull_requests: None, left_out: Vec::new() })
    }

    async fn proposal(&self, _: &PullRequest) -> Result<Proposal, ForgeError> {
        refused("a file has no pull requests")
    }

    async fn ended(&self, _: &PullRequest) -> Result<Ended, ForgeError> {
        refused("a file has no pull requests")
    }

    async fn compare(&self, _: &Commit, _: &Commit) -> Result<Option<Comparison>, ForgeError> {
        // It knows no history: the cells say that a commit differs, and not how far.
        Ok(None)
    }

    async fn merge(&self, _: &MergeOrder) -> Result<Moved, ForgeError> {
        refused("a file cannot be merged into")
    }

    async fn revert(&self, _: &RevertOrder) -> Result<Moved, ForgeError> {
        refused("a file cannot be reverted")
    }
}

/// A hub with this forge, until it has seen what is desired.
pub async fn run(file: &Path, out: &mut impl Write) -> Result<(), Box<dyn Error>> {
    let forge = Some(Arc::new(DesiredFile(file.to_owned())) as Arc<dyn Forge>);
    let ports = Ports { forge, ..Ports::new(Arc::new(MemoryLog::default())) };
    let hub = Hub::start(ports, Config::default()).await?;
    let desired = async {
        loop {
            let main = ChannelName::main();
            if let Some(commit) = hub.read(|fleet, _| Some(fleet.channel(&main)?.desired()?.commit))? {
                return Ok::<_, Box<dyn Error>>(commit);
            }
            sleep(Duration::from_millis(20)).await;
        }
    };
    let commit = timeout(Duration::from_secs(60), desired).await??;
    writeln!(out, "main: {commit} is desired")?;
    hub.shutdown().await;
    Ok(())
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let file = std::env::args_os().nth(1).ok_or("say which file says what is desired")?;
    run(Path::new(&file), &mut io::stdout()).await
}
