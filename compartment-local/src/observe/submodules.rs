//! Submodules, each looked at by itself: git does not look into all of them, nor at all of each (one that is inactive, an
//! inner one that the outer one's settings ignore, one with its files elsewhere).

use std::ffi::OsStr;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use compartment_core::Commit;

use super::doubt::Doubt;
use super::memo::Memo;
use super::repository::{own_git_dir, owner_of};
use super::status::{STATUS, Status, complaint_of, hidden_in, nothing_missed, told_not_to_look};
use crate::git::Git;

/// How deep submodules of submodules are followed.
const DEEPEST: usize = 16;

/// A submodule, as the index has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Link {
    path: PathBuf,
    commit: Commit,
}

/// The submodules of a checkout, by its index.
#[derive(Debug, Default)]
pub(super) struct Submodules(Memo<Vec<Link>>);

impl Submodules {
    /// Whether a file of a submodule differs from what the checkout's index says.
    pub(super) fn are_dirty(&self, git: &Git, top: &Path, index: &Path) -> Result<bool, Doubt> {
        let links = self.0.of(index, |_| links(git, top));
        match links {
            Ok(links) => {
                links.iter().try_fold(false, |dirty, link| Ok(dirty || differs(git, top, link, DEEPEST)?))
            }
            // Nothing was ever added to it.
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
            Err(error) => Err(cannot(top, &error)),
        }
    }
}

fn cannot(folder: &Path, why: &impl std::fmt::Display) -> Doubt {
    Doubt::new(&format!("cannot tell whether files of {} differ: {why}", folder.display()))
}

fn links(git: &Git, folder: &Path) -> io::Result<Vec<Link>> {
    let listed = git.ok(folder, &["ls-files", "--stage", "-z"]).map_err(io::Error::other)?;
    listed.split(|byte| *byte == 0).filter_map(link).collect()
}

/// `160000 COMMIT STAGE<tab>PATH`.
fn link(line: &[u8]) -> Option<io::Result<Link>> {
    let line = line.strip_prefix(b"160000 ")?;
    let (about, path) = line.split_at(line.iter().position(|byte| *byte == b'\t')?);
    let commit = str::from_utf8(about).ok().and_then(|about| Commit::new(about.split(' ').next()?).ok());
    let path = PathBuf::from(OsStr::from_bytes(path.get(1..)?));
    Some(
        commit
            .map(|commit| Link { path, commit })
            .ok_or_else(|| io::Error::other("a submodule has no commit")),
    )
}

/// Whether a submodule is at another commit, or a file in it differs.
fn differs(git: &Git, above: &Path, link: &Link, deepest: usize) -> Result<bool, Doubt> {
    let folder = above.join(&link.path);
    if !folder.join(".git").exists() {
        // It was never fetched; git leaves an empty folder there.
        return match folder.read_dir() {
            Ok(mut entries) => match entries.next() {
                None => Ok(false),
                Some(_) => Err(cannot(&folder, &"it has files, and is no repository")),
            },
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
            Err(error) => Err(cannot(&folder, &error)),
        };
    }
    let real = folder.canonicalize().map_err(|error| cannot(&folder, &error))?;
    own_git_dir(git, &real).map_err(|why| cannot(&folder, &why))?;
    let told = git.done(&real, &STATUS).map_err(|error| cannot(&folder, &error))?;
    let status = Status::of(&told.stdout);
    if status.dirty || status.commit != Some(link.commit) {
        return Ok(true);
    }
    nothing_missed(&folder, complaint_of(&told.stderr))?;
    let listed = git.ok(&real, &["ls-files", "-v"]).map_err(|error| cannot(&folder, &error))?;
    if let Some(hidden) = hidden_in(&listed) {
        return Err(cannot(&folder, &told_not_to_look(&hidden)));
    }
    let inner = links(git, &real).map_err(|error| cannot(&folder, &error))?;
    match deepest.checked_sub(1) {
        None if !inner.is_empty() => Err(cannot(&folder, &"submodules are too deep")),
        None => Ok(false),
        Some(deepest) => {
            inner.iter().try_fold(false, |dirty, link| Ok(dirty || differs(git, &real, link, deepest)?))
        }
    }
}

/// Refuses a checkout of which a submodule, or one within it, is not a repository of its own, or is another user's: a pull
/// would move what belongs to somebody else, and run what is named there as the owner of the checkout.
///
/// # Errors
/// Why it is refused.
pub(crate) fn are_their_own(git: &Git, top: &Path) -> Result<(), String> {
    // The way to the checkout may be a link; what lies within may not.
    let top = top.canonicalize().map_err(|error| format!("{}: {error}", top.display()))?;
    let owner = owner_of(&top).map_err(|error| error.to_string())?;
    within(git, &top, owner, DEEPEST)
}

fn within(git: &Git, above: &Path, owner: u32, deepest: usize) -> Result<(), String> {
    let listed = links(git, above);
    let listed =
        listed.map_err(|error| format!("cannot list the submodules of {}: {error}", above.display()))?;
    for link in listed {
        let folder = above.join(&link.path);
        // One that was removed is made by git, as its user.
        if folder.symlink_metadata().is_err() {
            continue;
        }
        let refused = |why: &dyn std::fmt::Display| {
            format!(
                "the submodule {} is not pulled: {why}; give it a repository of its own",
                folder.display()
            )
        };
        let real = folder.canonicalize().map_err(|error| refused(&error))?;
        if real != folder {
            return Err(refused(&format!("it is a link to {}", real.display())));
        }
        // Before git looks into it, and before it makes a repository there.
        for part in real.ancestors().take_while(|part| *part != above) {
            if owner_of(part).map_err(|error| refused(&error))? != owner {
                return Err(refused(&format!(
                    "{} belongs to another user than the checkout",
                    part.display()
                )));
            }
        }
        // One that was never fetched has none.
        if folder.join(".git").symlink_metadata().is_err() {
            continue;
        }
        own_git_dir(git, &real).map_err(|why| refused(&why))?;
        match deepest.checked_sub(1) {
            None => return Err(refused(&"submodules are too deep")),
            Some(deepest) => within(git, &real, owner, deepest)?,
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn submodules_are_found_in_an_index() {
        let hex = "a".repeat(40);
        let found = |line: String| link(line.as_bytes()).map(|link| link.map(|link| link.path).ok());
        assert_eq!(found(format!("160000 {hex} 0\ta b")), Some(Some("a b".into())));
        assert_eq!(found(format!("160000 {hex}x 0\ta")), Some(None), "that is said, and not passed over");
        for other in [format!("100644 {hex} 0\t160000 x"), String::new(), format!("160000 {hex} 0")] {
            assert_eq!(found(other), None);
        }
    }
}
