//! The files around a log, and how a finished one gets its name.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use compartment_runtime::{private_file, sync_folder};

/// What a log is called in a folder of its own.
pub const FILE_NAME: &str = "log.sqlite";

/// The name of a file that belongs to `file`.
pub(crate) fn beside(file: &Path, ending: &str) -> PathBuf {
    let mut name = file.as_os_str().to_owned();
    name.push(ending);
    name.into()
}

/// The snapshot of a log.
pub(crate) fn snapshot(file: &Path) -> PathBuf {
    beside(file, ".snapshot")
}

/// The write-ahead log that SQLite keeps beside a log.
pub(crate) fn wal(file: &Path) -> PathBuf {
    beside(file, "-wal")
}

/// How files of a log are made: for their owner alone. What is deployed where, and what programs printed, is nobody
/// else's; and whoever may write the file of the lock could keep everybody from the log.
pub(crate) fn private() -> OpenOptions {
    let mut options = private_file();
    options.read(true).create(true).truncate(false);
    options
}

/// Makes a file that SQLite is about to write, where it is not there, and takes it and what is beside it away from
/// others. SQLite makes its own files with the mode of that one.
pub(crate) fn make_private(file: &Path) -> io::Result<()> {
    // Whoever opens and closes a file that is there takes this process's SQLite locks on it away.
    if !file.exists() {
        private().open(file)?;
    }
    #[cfg(unix)]
    for ending in ["", "-wal", "-shm", ".lock", ".id", ".snapshot"] {
        use std::os::unix::fs::PermissionsExt;
        let path = beside(file, ending);
        match path.metadata().map(|found| found.permissions().mode() & 0o777) {
            Ok(mode) if mode & 0o077 != 0 => {
                fs::set_permissions(&path, fs::Permissions::from_mode(mode & 0o700))?
            }
            // What is not there is made so.
            Ok(_) | Err(_) => {}
        }
    }
    Ok(())
}

/// How long a file is; zero where there is none.
pub(crate) fn length(file: &Path) -> u64 {
    fs::metadata(file).map_or(0, |metadata| metadata.len())
}

/// The one name that a file has, whatever links lead to it: of a file that is not there yet, by its folder.
pub(crate) fn resolved(file: &Path) -> io::Result<PathBuf> {
    match fs::canonicalize(file) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            let name = file.file_name().ok_or(error)?;
            Ok(fs::canonicalize(folder(file))?.join(name))
        }
        resolved => resolved,
    }
}

/// The folder of a file.
fn folder(file: &Path) -> &Path {
    file.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

/// Something that is in the way of a new log at `file`: the file, or one that belongs to a log of that name and
/// would be taken for the new one's. What a reader may leave is empty, and is in nobody's way.
pub(crate) fn in_the_way(file: &Path) -> Option<PathBuf> {
    if file.symlink_metadata().is_ok() {
        return Some(file.to_owned());
    }
    left_of(file)
}

/// What is left of a log that is gone, or empty. SQLite takes it for nobody's: opened even to be read, an empty file
/// loses its write-ahead log.
pub(crate) fn left_of(file: &Path) -> Option<PathBuf> {
    // A journal beside an empty file is of a process that died while it created it.
    let endings: &[&str] =
        if file.exists() { &["-wal", ".snapshot", ".id"] } else { &["-wal", "-journal", ".snapshot", ".id"] };
    endings.iter().map(|ending| beside(file, ending)).find(|left| length(left) > 0)
}

/// A file in the making. It is removed where it does not get its name.
#[derive(Debug)]
pub(crate) struct Part {
    path: PathBuf,
    target: PathBuf,
}

impl Part {
    /// A file to be called `target`.
    pub(crate) fn new(target: &Path) -> Self {
        static COUNT: AtomicU64 = AtomicU64::new(0);
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        let path = beside(target, &format!(".{}-{count}.part", std::process::id()));
        let part = Self { path, target: target.to_owned() };
        // Of a process that had the same number and died.
        part.remove();
        part
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Makes it durable and gives it its name, which nobody else may have taken.
    pub(crate) fn publish(self) -> io::Result<()> {
        File::open(&self.path)?.sync_all()?;
        // Unlike a renaming, a link never takes the place of another file.
        match fs::hard_link(&self.path, &self.target) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => return Err(error),
            // Not every file system has links.
            Err(_) if self.target.symlink_metadata().is_ok() => {
                return Err(io::ErrorKind::AlreadyExists.into());
            }
            Err(_) => fs::rename(&self.path, &self.target)?,
            Ok(()) => self.remove(),
        }
        sync_folder(&self.target)
    }

    fn remove(&self) {
        for ending in ["", "-journal", "-wal", "-shm"] {
            // It may not be there; and whatever stays has a name that says what it is.
            drop(fs::remove_file(beside(&self.path, ending)));
        }
    }
}

impl Drop for Part {
    fn drop(&mut self) {
        self.remove();
    }
}
