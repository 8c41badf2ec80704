//! What was found out of a file, remembered for as long as the file is certainly the same.

use std::fs::File;
use std::io;
use std::path::Path;
use std::sync::{Mutex, PoisonError};
use std::time::SystemTime;

use compartment_files::FileIdentity;

/// What remembers one thing about one file.
#[derive(Debug)]
pub(super) struct Memo<T>(Mutex<Option<(FileIdentity, T)>>);

impl<T> Default for Memo<T> {
    fn default() -> Self {
        Self(Mutex::default())
    }
}

impl<T: Clone> Memo<T> {
    /// What `find` finds out of the file at `path` now, or found before.
    pub(super) fn of<E: From<io::Error>>(
        &self,
        path: &Path,
        find: impl FnOnce(&mut File) -> Result<T, E>,
    ) -> Result<T, E> {
        let mut file = File::open(path)?;
        let identity = FileIdentity::of(&file.metadata()?);
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, found)) = known.as_ref().filter(|(of, _)| *of == identity) {
            return Ok(found.clone());
        }
        // The clock before the content: what is written from now on is later than that.
        let now = SystemTime::now();
        let found = find(&mut file)?;
        let still = FileIdentity::of(&file.metadata()?) == identity;
        *known = (still && identity.is_settled(now)).then(|| (identity, found.clone()));
        Ok(found)
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::io::Read;
    use std::time::Duration;

    use super::*;

    fn read(memo: &Memo<Vec<u8>>, path: &Path) -> io::Result<Vec<u8>> {
        memo.of(path, |file| {
            let mut bytes = Vec::new();
            file.read_to_end(&mut bytes)?;
            Ok(bytes)
        })
    }

    fn aged(path: &Path, seconds: u64) {
        let at = SystemTime::now() - Duration::from_secs(seconds);
        File::options().write(true).open(path).unwrap().set_modified(at).unwrap();
    }

    #[test]
    fn every_change_shows_at_once() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("flake.lock");
        let memo = Memo::default();
        for round in 0..50_u8 {
            // Of one length, in place, within one tick of a clock, and with a time that somebody set.
            fs::write(&path, [round]).unwrap();
            aged(&path, 1000);
            assert_eq!(read(&memo, &path).unwrap(), [round]);
            assert_eq!(read(&memo, &path).unwrap(), [round]);
        }
        fs::remove_file(&path).unwrap();
        assert!(read(&memo, &path).is_err());
    }

    #[test]
    fn what_is_remembered_is_used_for_that_very_file_only() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("flake.lock");
        fs::write(&path, "new").unwrap();
        let memo = Memo::default();
        let identity = FileIdentity::of(&path.metadata().unwrap());
        let other = b"other".to_vec();
        *memo.0.lock().unwrap() = Some((identity, other.clone()));
        assert_eq!(read(&memo, &path).unwrap(), other, "not read again");
        aged(&path, 10);
        assert_eq!(read(&memo, &path).unwrap(), b"new", "a set time is a change");
        let elsewhere = folder.path().join("other");
        fs::write(&elsewhere, "new").unwrap();
        *memo.0.lock().unwrap() = Some((FileIdentity::of_path(&elsewhere).unwrap(), other));
        assert_eq!(read(&memo, &path).unwrap(), b"new", "another file of the name");
    }
}
