//! What was found out of a file, remembered for as long as the file is certainly the same.

use std::fs::{File, Metadata};
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// How old a change has to be before the file's times are trusted to show the next one. File systems count time in
/// steps, the coarsest of them of two seconds: a file that has just changed may change again and look the same.
const SETTLED: Duration = Duration::from_secs(3);

/// What remembers one thing about one file.
#[derive(Debug)]
pub(super) struct Memo<T>(Mutex<Option<(Identity, T)>>);

impl<T> Default for Memo<T> {
    fn default() -> Self {
        Self(Mutex::default())
    }
}

/// What the system says of a file without reading it. Content that changes changes one of these: programs can set
/// `mtime`, none can set `ctime`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Identity {
    device: u64,
    inode: u64,
    length: u64,
    modified: (i64, i64),
    changed: (i64, i64),
}

impl Identity {
    fn of(found: &Metadata) -> Self {
        Self {
            device: found.dev(),
            inode: found.ino(),
            length: found.len(),
            modified: (found.mtime(), found.mtime_nsec()),
            changed: (found.ctime(), found.ctime_nsec()),
        }
    }

    /// Whether any later change would show.
    fn settled(&self, now: SystemTime) -> bool {
        let old = |(seconds, _): (i64, i64)| {
            let at = u64::try_from(seconds).ok().and_then(|s| UNIX_EPOCH.checked_add(Duration::from_secs(s)));
            at.and_then(|at| now.duration_since(at).ok()).is_some_and(|age| age > SETTLED)
        };
        old(self.modified) && old(self.changed)
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
        let identity = Identity::of(&file.metadata()?);
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, found)) = known.as_ref().filter(|(of, _)| *of == identity) {
            return Ok(found.clone());
        }
        // The clock before the content: what is written from now on is later than that.
        let now = SystemTime::now();
        let found = find(&mut file)?;
        let still = Identity::of(&file.metadata()?) == identity;
        *known = (still && identity.settled(now)).then(|| (identity, found.clone()));
        Ok(found)
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::io::Read;

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
    fn only_what_has_settled_is_remembered() {
        let now = UNIX_EPOCH + Duration::from_secs(1000);
        let of = |modified, changed| {
            let (modified, changed) = ((modified, 0), (changed, 0));
            Identity { device: 1, inode: 1, length: 1, modified, changed }.settled(now)
        };
        assert!(of(990, 990));
        for (modified, changed) in [(990, 998), (998, 990), (990, 1001), (990, i64::MAX), (-1, 990)] {
            assert!(!of(modified, changed), "{modified} {changed}");
        }
    }

    #[test]
    fn what_is_remembered_is_used_for_that_very_file_only() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("flake.lock");
        fs::write(&path, "new").unwrap();
        let memo = Memo::default();
        let identity = Identity::of(&path.metadata().unwrap());
        let other = b"other".to_vec();
        *memo.0.lock().unwrap() = Some((identity, other.clone()));
        assert_eq!(read(&memo, &path).unwrap(), other, "not read again");
        aged(&path, 10);
        assert_eq!(read(&memo, &path).unwrap(), b"new", "a set time is a change");
        *memo.0.lock().unwrap() = Some((Identity { inode: 0, ..identity }, other));
        assert_eq!(read(&memo, &path).unwrap(), b"new", "another file of the name");
    }
}
