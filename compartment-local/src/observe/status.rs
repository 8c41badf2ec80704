//! What git says of the files of a checkout, and of which it says nothing.

use std::path::Path;

use compartment_core::Commit;

use super::doubt::Doubt;

/// How git is asked for the commit, and for the files that differ from it. Untracked ones do not count: Nix does not see
/// them. Of a submodule it is asked which commit it is at: it is not to look into one that may be another user's, for it would
/// run what is named there. Each is looked at by itself.
pub(super) const STATUS: [&str; 6] = [
    "status",
    "--porcelain=v2",
    "--branch",
    "--no-ahead-behind",
    "--untracked-files=no",
    "--ignore-submodules=dirty",
];

/// Files that git takes to be unchanged without looking.
#[derive(Clone, Debug)]
pub(super) struct Hidden {
    count: usize,
    first: String,
    /// Whether the lock file is one of them.
    pub(super) lock: bool,
}

/// What `git status` told.
#[derive(Debug, PartialEq)]
pub(super) struct Status {
    pub(super) commit: Option<Commit>,
    /// Whether any file differs: whatever is no header is one that does.
    pub(super) dirty: bool,
    /// Whether the lock file does.
    pub(super) lock_differs: bool,
}

impl Status {
    pub(super) fn of(told: &[u8]) -> Self {
        let lines = || told.split(|byte| *byte == b'\n').filter(|line| !line.is_empty());
        let commit = lines().find_map(|line| line.strip_prefix(b"# branch.oid "));
        let commit = commit.and_then(|hex| Commit::new(str::from_utf8(hex).ok()?).ok());
        let files = || lines().filter(|line| !line.starts_with(b"# "));
        Self { commit, dirty: files().next().is_some(), lock_differs: files().any(is_of_lock) }
    }
}

/// Whether a line is about the lock file: its name stands behind so many words as its kind of line has, and of one that was
/// moved the former name behind that.
fn is_of_lock(line: &[u8]) -> bool {
    let words = match line.first() {
        Some(b'1') => 8,
        Some(b'2') => 9,
        Some(b'u') => 10,
        Some(_) | None => 1,
    };
    let names = line.splitn(words + 1, |byte| *byte == b' ').nth(words).unwrap_or_default();
    names.split(|byte| *byte == b'\t').any(|name| name == b"flake.lock")
}

/// What git says of files that it could not look at, and leaves out, though all went well as far as its exit code tells. What
/// warns or traces, and what stands between this and git, says nothing of files.
pub(super) fn complaint_of(stderr: &str) -> Option<&str> {
    let is_trace =
        |line: &str| line.as_bytes().get(2) == Some(&b':') && line.as_bytes().get(5) == Some(&b':');
    let besides = |line: &str| ["warning: ", "hint: ", "sudo: "].iter().any(|mark| line.starts_with(mark));
    stderr.lines().map(str::trim).find(|line| !line.is_empty() && !besides(line) && !is_trace(line))
}

/// That git has looked at all files.
pub(super) fn nothing_missed(folder: &Path, complaint: Option<&str>) -> Result<(), Doubt> {
    complaint.map_or(Ok(()), |complaint| {
        Err(Doubt::new(&format!("cannot tell whether files of {} differ: {complaint}", folder.display())))
    })
}

/// The files in what `git ls-files -v` listed that git does not look at: `S` is skip-worktree, a small letter
/// assume-unchanged.
pub(super) fn hidden_in(listed: &[u8]) -> Option<Hidden> {
    let lines = listed.split(|byte| *byte == b'\n');
    let mut hidden =
        lines.filter(|line| line.first().is_some_and(|tag| *tag == b'S' || tag.is_ascii_lowercase()));
    let name = |line: &[u8]| line.get(2..).unwrap_or_default().to_vec();
    let first = name(hidden.next()?);
    let (mut count, mut lock) = (1, first == b"flake.lock");
    for line in hidden {
        (count, lock) = (count + 1, lock || name(line) == b"flake.lock");
    }
    Some(Hidden { count, first: String::from_utf8_lossy(&first).into_owned(), lock })
}

/// That nobody can tell, and what to do.
pub(super) fn told_not_to_look(Hidden { count, first, lock: _ }: &Hidden) -> String {
    format!(
        "git is told not to look at {count} of them, such as {first}; `git update-index --no-assume-unchanged \
         --no-skip-worktree FILE`, or `git sparse-checkout disable`"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commit_and_dirt_are_found_in_a_status() {
        let status = |told: &[u8]| {
            let Status { commit, dirty, lock_differs } = Status::of(told);
            (commit.map(|commit| commit.to_string()), dirty, lock_differs)
        };
        let here = || Some("abcdef0".to_owned());
        assert_eq!(status(b"# branch.oid abcdef0\n# branch.head main\n"), (here(), false, false));
        let dirty = b"# branch.oid abcdef0\n1 .M N... 100644 100644 100644 a a # branch.oid b\n";
        assert_eq!(status(dirty), (here(), true, false));
        let lock = b"# branch.oid abcdef0\n1 .M N... 100644 100644 100644 a a flake.lock\n";
        assert_eq!(status(lock), (here(), true, true));
        let other = b"# branch.oid abcdef0\n1 .M N... 100644 100644 100644 a a a flake.lock\n";
        assert_eq!(status(other), (here(), true, false), "another one, whose name ends so");
        for moved in ["a\tflake.lock", "flake.lock\ta"] {
            let line = format!("# branch.oid abcdef0\n2 R. N... 100644 100644 100644 a a R100 {moved}\n");
            assert_eq!(status(line.as_bytes()), (here(), true, true));
        }
        assert_eq!(status(b"# branch.oid (initial)\n"), (None, false, false));
        assert_eq!(status(b""), (None, false, false));
        assert_eq!(status(b"# branch.oid \xff\n"), (None, false, false));
    }

    #[test]
    fn what_git_says_of_files_is_told_from_what_else_is_said() {
        for said in
            ["d/f: Permission denied\n", "warning: x\nd/f: File name too long\n", "error: short read\n"]
        {
            assert!(complaint_of(said).is_some(), "{said}");
        }
        let besides = "sudo: unable to resolve host web1\n10:01:02.345678 git.c:463 trace: built-in: git status\n\n\
                       warning: LF will be replaced by CRLF\nhint: use --x\n";
        assert_eq!(complaint_of(besides), None);
    }

    #[test]
    fn files_that_git_does_not_look_at_are_found() {
        assert!(hidden_in(b"H a\nM b\n").is_none());
        let hidden = hidden_in(b"H a\nh b c\nS d\ns e\n").unwrap();
        assert_eq!((hidden.count, hidden.first.as_str(), hidden.lock), (3, "b c", false));
        assert!(hidden_in(b"h a\nS flake.lock\nH b\n").unwrap().lock);
        assert!(!hidden_in(b"h a flake.lock\nH flake.lock\n").unwrap().lock);
    }
}
