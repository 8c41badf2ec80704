//! A folder that remembers belongs to one process at a time; others ask through that one.
//!
//! The owner writes beside the log where it answers, and takes that away at its end. Whoever asks through it holds a lock
//! meanwhile, and the owner waits for those before it ends.

use std::fs::{self, File, TryLockError};
use std::io::{self, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use compartment_core::Actor;
use compartment_local::credentials::without_credentials;
use compartment_local::run::Stop;
use serde::{Deserialize, Serialize};
use tempfile::NamedTempFile;

use super::Cli;

/// Where the owner answers.
const OWNER: &str = "owner.json";

/// What those hold who ask through it.
const GUESTS: &str = "guests";

/// How long an owner may take to accept a connection.
const ACCEPTED_WITHIN: Duration = Duration::from_secs(1);

/// How long guests may take: longer than an operation and its tests.
const GUESTS_WITHIN: Duration = Duration::from_secs(2 * 60 * 60);

/// How often it is looked whether guests have gone.
const LOOK_EVERY: Duration = Duration::from_millis(50);

/// What two calls must have in common, so that one may ask through the other.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Setup {
    /// Who asks: the log says so.
    by: Actor,
    /// The inventory.
    hosts: String,
    /// Where what is desired comes from, without a secret. `None` where nothing is looked at.
    forge: Option<String>,
    branch: String,
}

impl Setup {
    pub(super) fn of(cli: &Cli) -> io::Result<Self> {
        let forge = cli.forge.forge.as_ref().map(|forge| without_credentials(&forge.to_string()));
        let hosts = fs::read_to_string(&cli.inventory)?;
        Ok(Self { by: cli.by.clone(), hosts, forge, branch: cli.forge.branch.clone() })
    }

    /// What is another one there, in words. `None` where nothing is.
    fn differs(&self, there: &Self) -> Option<String> {
        if self.by != there.by {
            return Some(format!("it asks as {}", there.by));
        }
        if self.hosts != there.hosts {
            return Some("it has read another inventory".to_owned());
        }
        let looks = there.forge.as_ref().map_or("without --forge".to_owned(), |forge| {
            format!("with --forge {forge} --branch {}", there.branch)
        });
        match &self.forge {
            // Whoever says nothing of it takes what is there.
            None => None,
            Some(_) if (&self.forge, &self.branch) == (&there.forge, &there.branch) => None,
            Some(_) => Some(format!("it was started {looks}")),
        }
    }
}

/// How the owner is reached. The file is its owner's alone, as the folder is.
#[derive(Clone, Serialize, Deserialize)]
pub(super) struct Owner {
    process: u32,
    address: SocketAddr,
    pub(super) token: String,
    /// Whether it goes on until somebody ends it.
    pub(super) stays: bool,
    setup: Setup,
}

impl Owner {
    pub(super) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Whether it still answers.
    pub(super) fn answers(&self) -> bool {
        TcpStream::connect_timeout(&self.address, ACCEPTED_WITHIN).is_ok()
    }

    pub(super) fn name(&self) -> String {
        format!("the call of process {}", self.process)
    }

    /// Why nobody set up like this may ask through it.
    pub(super) fn refuses(&self, setup: &Setup) -> Option<String> {
        setup.differs(&self.setup)
    }
}

/// The word of an owner that it can be reached; taken back when this is dropped.
pub(super) struct Published {
    folder: PathBuf,
}

impl Published {
    pub(super) fn new(
        folder: &Path,
        address: SocketAddr,
        token: String,
        stays: bool,
        setup: Setup,
    ) -> io::Result<Self> {
        let owner = Owner { process: std::process::id(), address, token, stays, setup };
        let mut part = NamedTempFile::new_in(folder)?;
        part.write_all(&serde_json::to_vec(&owner)?)?;
        part.persist(folder.join(OWNER)).map_err(|error| error.error)?;
        Ok(Self { folder: folder.to_owned() })
    }

    /// Lets nobody in any more, and waits for those who are in, until somebody asks to stop who had not asked before. `wait`
    /// is told once that there are some.
    pub(super) fn end(self, stop: &Stop, mut wait: impl FnMut()) -> io::Result<()> {
        let guests = guests(&self.folder)?;
        drop(self);
        let (mut told, asked_before, begun) = (false, stop.asked(), Instant::now());
        while (asked_before || !stop.asked()) && begun.elapsed() < GUESTS_WITHIN {
            match guests.try_lock() {
                Ok(()) => return Ok(()),
                Err(TryLockError::WouldBlock) => {}
                Err(TryLockError::Error(error)) => return Err(error),
            }
            if !std::mem::replace(&mut told, true) {
                wait();
            }
            std::thread::sleep(LOOK_EVERY);
        }
        Ok(())
    }
}

impl Drop for Published {
    fn drop(&mut self) {
        // Where it stays, nobody answers there, and whoever owns the folder next writes it anew.
        drop(fs::remove_file(self.folder.join(OWNER)));
    }
}

/// Somebody who asks through the owner, which waits for this to be dropped.
pub(super) struct Guest {
    pub(super) owner: Owner,
    _guests: File,
}

impl Guest {
    /// `None` where nobody says that it can be asked.
    pub(super) fn of(folder: &Path) -> io::Result<Option<Self>> {
        let guests = guests(folder)?;
        // The owner takes it for a moment when it ends.
        if guests.try_lock_shared().is_err() {
            return Ok(None);
        }
        let owner = match fs::read(folder.join(OWNER)) {
            Ok(owner) => serde_json::from_slice::<Owner>(&owner).ok(),
            Err(error) if error.kind() == io::ErrorKind::NotFound => None,
            Err(error) => return Err(error),
        };
        Ok(owner.filter(Owner::answers).map(|owner| Self { owner, _guests: guests }))
    }
}

fn guests(folder: &Path) -> io::Result<File> {
    compartment_runtime::private_file().create(true).truncate(false).read(true).open(folder.join(GUESTS))
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;
    use std::sync::mpsc::channel;

    use clap::Parser;

    use super::*;

    #[test]
    fn an_owner_waits_for_its_guests_and_lets_nobody_in_meanwhile() {
        let folder = tempfile::tempdir().unwrap();
        let (data, inventory) = (folder.path(), folder.path().join("hosts.toml"));
        fs::write(&inventory, "").unwrap();
        let file = inventory.display().to_string();
        let setup = |by: &str, more: &[&str]| {
            let cli = [&["ssh", "--by", by, "--inventory", &file], more].concat();
            Setup::of(&Cli::try_parse_from(cli).unwrap()).unwrap()
        };
        let (others, setup) = (setup, setup("ann", &[]));
        assert!(Guest::of(data).unwrap().is_none());
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let published = Published::new(data, address, "secret".to_owned(), true, setup.clone()).unwrap();
        let guest = Guest::of(data).unwrap().unwrap();
        assert_eq!((guest.owner.url(), &*guest.owner.token), (format!("http://{address}"), "secret"));
        assert_eq!(guest.owner.refuses(&setup), None);
        for (by, other, why) in [
            ("bob", &[][..], "it asks as ann"),
            ("ann", &["--forge", "https://me:hush@git.example/x.git"], "it was started without --forge"),
        ] {
            let other = others(by, other);
            assert_eq!(guest.owner.refuses(&other).as_deref(), Some(why));
            assert!(!serde_json::to_string(&other).unwrap().contains("hush"));
        }
        let looks = others("ann", &["--forge", "https://me:hush@git.example/x.git", "--branch", "live"]);
        assert_eq!(setup.differs(&looks), None, "whoever says nothing takes what is there");
        let other = others("ann", &["--forge", "https://git.example/x.git", "--branch", "live"]);
        let why = "it was started with --forge https://…@git.example/x.git --branch live";
        assert_eq!(other.differs(&looks).as_deref(), Some(why));
        let ((waits, told), (done, ended)) = (channel(), channel());
        let ending = std::thread::spawn(move || {
            published.end(&Stop::default(), || waits.send(()).unwrap()).unwrap();
            done.send(()).unwrap();
        });
        told.recv().unwrap();
        assert!(Guest::of(data).unwrap().is_none(), "nobody else is let in");
        assert!(ended.try_recv().is_err(), "it waits");
        drop(guest);
        ended.recv_timeout(Duration::from_secs(20)).unwrap();
        ending.join().unwrap();
        // The word of one that was killed leads nowhere.
        let left = Published::new(data, address, "secret".to_owned(), true, setup).unwrap();
        std::mem::forget(left);
        drop(listener);
        assert!(Guest::of(data).unwrap().is_none());
    }
}
