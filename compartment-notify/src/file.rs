//! What was told, in a file beside the log.

use std::fs::File;
use std::io::{self, ErrorKind, Read, Write};
use std::path::{Path, PathBuf};

use async_trait::async_trait;
use compartment_runtime::{NotifyError, NotifyStore, replace};

/// The largest file that is read, in bytes.
const LARGEST: u64 = 64 << 20;

/// A file that is its owner's alone, and is replaced as a whole.
#[derive(Clone, Debug)]
pub struct NotifyFile {
    path: PathBuf,
}

impl NotifyFile {
    /// The file of this name, which need not be there. Its folder has to be nobody else's.
    #[must_use]
    pub fn new(path: &Path) -> Self {
        Self { path: path.to_owned() }
    }
}

/// Runs what waits for a disk where it holds up nobody.
async fn apart<T: Send + 'static>(
    work: impl FnOnce() -> io::Result<T> + Send + 'static,
) -> Result<T, NotifyError> {
    let done = tokio::task::spawn_blocking(work).await;
    let failed = |error: &dyn std::fmt::Display| NotifyError::new(&error.to_string());
    done.map_err(|error| failed(&error))?.map_err(|error| failed(&error))
}

fn load(path: &Path) -> io::Result<Option<Vec<u8>>> {
    let file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error),
    };
    let mut bytes = Vec::new();
    file.take(LARGEST + 1).read_to_end(&mut bytes)?;
    match bytes.len() as u64 > LARGEST {
        true => Err(io::Error::other("it is too large to be what was told")),
        false => Ok(Some(bytes)),
    }
}

#[async_trait]
impl NotifyStore for NotifyFile {
    async fn load(&self) -> Result<Option<Vec<u8>>, NotifyError> {
        let path = self.path.clone();
        apart(move || load(&path)).await
    }

    async fn save(&self, bytes: Vec<u8>) -> Result<(), NotifyError> {
        let path = self.path.clone();
        apart(move || replace(&path, |file| file.write_all(&bytes))).await
    }
}
