//! Whether a file is still the one that was read.

use std::fs::{self, Metadata};
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// How old a change has to be before the file's times are trusted to show the next one. File systems count time in
/// steps, the coarsest of them of two seconds: a file that has just changed may change again and look the same.
const SETTLED: Duration = Duration::from_secs(3);

/// What tells one state of a file from another, without reading it. Content that changes changes one of these: programs
/// can set `mtime`, none can set `ctime`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FileIdentity {
    device: u64,
    inode: u64,
    length: u64,
    modified: (i64, i64),
    changed: (i64, i64),
}

impl FileIdentity {
    /// Of the file that a path leads to now, links followed.
    ///
    /// # Errors
    /// Where the file cannot be looked at.
    pub fn of_path(path: &Path) -> io::Result<Self> {
        fs::metadata(path).map(|metadata| Self::of(&metadata))
    }

    /// Of the file that this was found of.
    #[must_use]
    pub fn of(found: &Metadata) -> Self {
        Self {
            device: found.dev(),
            inode: found.ino(),
            length: found.len(),
            modified: (found.mtime(), found.mtime_nsec()),
            changed: (found.ctime(), found.ctime_nsec()),
        }
    }

    /// Whether any later change would show.
    #[must_use]
    pub fn is_settled(&self, now: SystemTime) -> bool {
        let old = |(seconds, _): (i64, i64)| {
            let at = u64::try_from(seconds).ok().and_then(|s| UNIX_EPOCH.checked_add(Duration::from_secs(s)));
            at.and_then(|at| now.duration_since(at).ok()).is_some_and(|age| age > SETTLED)
        };
        old(self.modified) && old(self.changed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whatever_differs_shows() {
        let (modified, changed) = ((1, 1), (1, 1));
        let one = FileIdentity { device: 1, inode: 1, length: 1, modified, changed };
        for other in [
            FileIdentity { device: 2, ..one },
            FileIdentity { inode: 2, ..one },
            FileIdentity { length: 2, ..one },
            FileIdentity { modified: (1, 2), ..one },
            FileIdentity { changed: (1, 2), ..one },
        ] {
            assert_ne!(other, one);
        }
    }

    #[test]
    fn only_what_has_settled_is_remembered() {
        let now = UNIX_EPOCH + Duration::from_secs(1000);
        let of = |modified, changed| {
            let (modified, changed) = ((modified, 0), (changed, 0));
            FileIdentity { device: 1, inode: 1, length: 1, modified, changed }.is_settled(now)
        };
        assert!(of(990, 990));
        for (modified, changed) in [(990, 998), (998, 990), (990, 1001), (990, i64::MAX), (-1, 990)] {
            assert!(!of(modified, changed), "{modified} {changed}");
        }
    }
}
