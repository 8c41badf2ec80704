//! Where a checkout is, read without git: for one that git does not look into, and for a machine without git. Whether
//! files differ nobody can tell so.

use std::fs::{self, File};
use std::io::Read;
use std::path::{Path, PathBuf};

use compartment_core::Commit;

/// The most that is read of a file with references, in bytes.
const LIMIT: u64 = 16 << 20;

/// How often a reference may lead to another one.
const LINKS: usize = 5;

/// The commit at which the checkout with this top folder is; `None` where its repository keeps that in another way than
/// in loose and packed references.
pub(super) fn commit(top: &Path) -> Option<Commit> {
    let git = git_dir(top)?;
    // References are in the folder of the worktree, or in the one that all worktrees share.
    let shared = match first_line(&git.join("commondir")) {
        Some(to) => git.join(to),
        None => git.clone(),
    };
    let mut head = first_line(&git.join("HEAD"))?;
    for _ in 0..LINKS {
        let Some(name) = head.strip_prefix("ref: ") else { break };
        let loose = first_line(&git.join(name)).or_else(|| first_line(&shared.join(name)));
        head = loose.or_else(|| packed(&shared.join("packed-refs"), name))?;
    }
    Commit::new(&head).ok()
}

/// The folder of the repository: `.git`, or where that file says it is.
fn git_dir(top: &Path) -> Option<PathBuf> {
    let git = top.join(".git");
    if git.is_dir() {
        return Some(git);
    }
    first_line(&git)?.strip_prefix("gitdir: ").map(|to| top.join(to))
}

fn packed(file: &Path, name: &str) -> Option<String> {
    let refs = text(file)?;
    let of = |line: &str| line.split_once(' ').filter(|(_, of)| *of == name).map(|(hex, _)| hex.to_owned());
    refs.lines().find_map(of)
}

fn first_line(file: &Path) -> Option<String> {
    text(file)?.lines().next().map(|line| line.trim_end().to_owned())
}

/// What is in a regular file: nothing else may be opened, where a stranger put it.
fn text(path: &Path) -> Option<String> {
    if !fs::metadata(path).ok()?.is_file() {
        return None;
    }
    let mut text = String::new();
    File::open(path).ok()?.take(LIMIT).read_to_string(&mut text).ok()?;
    Some(text)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::git::Git;
    use crate::run::Stop;

    #[test]
    fn the_commit_is_the_one_that_git_names() {
        let folder = tempfile::tempdir().unwrap();
        let git = Git::isolated(folder.path(), Stop::default());
        let top = folder.path().join("top");
        let run = |at: &Path, args: &[&str]| git.line(at, args).unwrap();
        let told = |at: &Path| {
            let head = run(at, &["rev-parse", "HEAD"]);
            assert_eq!(commit(at).map(|commit| commit.to_string()), Some(head), "{}", at.display());
        };
        run(folder.path(), &["init", "--quiet", "--initial-branch=main", "top"]);
        assert_eq!(commit(&top), None, "there is none yet");
        let empty = ["commit", "--quiet", "--allow-empty", "-m", "x"];
        run(&top, &empty);
        told(&top);
        run(&top, &["branch", "other/main"]);
        run(&top, &["pack-refs", "--all"]);
        told(&top);
        run(&top, &empty);
        told(&top);
        let side = folder.path().join("side");
        run(&top, &["worktree", "add", "--quiet", "-b", "side", side.to_str().unwrap()]);
        run(&side, &empty);
        run(&top, &["pack-refs", "--all"]);
        told(&side);
        run(&side, &["checkout", "--quiet", "--detach"]);
        told(&side);
        for broken in ["ref: ../../../../etc/passwd", "ref: refs/heads/none", "", "nonsense", "ref: HEAD"] {
            fs::write(top.join(".git/HEAD"), broken).unwrap();
            assert_eq!(commit(&top), None, "{broken}");
        }
        // What is no file is not opened: it might never end.
        fs::remove_file(top.join(".git/HEAD")).unwrap();
        fs::create_dir(top.join(".git/HEAD")).unwrap();
        assert_eq!(commit(&top), None);
    }
}
