//! Which lock a commit has, and which one lies in a file.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use compartment_core::{Commit, LockFile, LockHash};
use sha2::{Digest, Sha256};

use crate::git::{Git, GitError};

/// The name of a lock file.
pub(super) const NAME: &str = "flake.lock";

/// The largest lock file that is hashed, in bytes; real ones have a few thousand.
const LIMIT: u64 = 16 << 20;

/// The hash that names a lock file's content.
pub(super) fn hash_of(bytes: &[u8]) -> LockHash {
    LockHash::from_bytes(Sha256::digest(bytes).into())
}

/// The hash of a file's content.
pub(super) fn hash_in(file: &mut File) -> io::Result<LockHash> {
    let mut bytes = Vec::new();
    file.take(LIMIT + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > LIMIT {
        return Err(io::Error::other("it has more than 16 MiB"));
    }
    Ok(hash_of(&bytes))
}

/// The lock file of a commit; `None` where there is something else of that name: a link, say, may lead anywhere.
pub(super) fn of_commit(git: &Git, dir: &Path, commit: Commit) -> Result<Option<LockFile>, GitError> {
    let tree = format!("{commit}^{{tree}}");
    let listed = git.line(dir, &["ls-tree", &tree, NAME])?;
    match blob_in(&listed) {
        // `cat-file` gives the bytes; `show` may convert them.
        Some(blob) => Ok(Some(LockFile::Hash(hash_of(&git.ok(dir, &["cat-file", "blob", blob])?)))),
        None => Ok(listed.is_empty().then_some(LockFile::NoFile)),
    }
}

/// The blob of a regular file in a line of `ls-tree`.
fn blob_in(listed: &str) -> Option<&str> {
    let (entry, _) = listed.split_once('\t')?;
    let mut words = entry.split(' ');
    let regular = words.next()?.starts_with("100") && words.next()? == "blob";
    words.next().filter(|_| regular)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_regular_file_is_a_lock() {
        assert_eq!(blob_in("100644 blob abc123\tflake.lock"), Some("abc123"));
        assert_eq!(blob_in("100755 blob abc123\tflake.lock"), Some("abc123"));
        assert_eq!(blob_in("120000 blob abc123\tflake.lock"), None);
        assert_eq!(blob_in("040000 tree abc123\tflake.lock"), None);
        assert_eq!(blob_in(""), None);
    }
}
