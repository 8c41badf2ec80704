//! A folder of tests: every executable file in it is one.

use std::fs::{self, DirEntry};
use std::io::ErrorKind;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::{Dir, Refused, Step, no_questions, whole};

/// A step for each test, sorted by name. None where the folder is not configured, or is not there.
pub(super) fn steps(
    folder: Option<&Path>,
    checkout: Option<&Path>,
    each: Duration,
) -> Result<Vec<Step>, Refused> {
    let Some(folder) = folder else { return Ok(Vec::new()) };
    let folder = placed(folder, checkout);
    let refused = |error: std::io::Error| {
        Refused::because(&format!("cannot read the tests in {}: {error}", folder.display()))
    };
    let entries = match fs::read_dir(&folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(refused(error)),
    };
    let mut steps = Vec::new();
    for entry in entries {
        let entry = entry.map_err(refused)?;
        let name = entry.file_name().to_string_lossy().into_owned();
        if is_backup(&name) || !is_test(&entry) {
            continue;
        }
        let argv = vec![whole(&entry.path())?];
        let dir = checkout.map_or_else(|| folder.clone(), Path::to_owned);
        steps.push(Step { name, argv, limit: each, dir: Dir::Folder(dir), env: no_questions() });
    }
    steps.sort_by(|one, other| one.name.cmp(&other.name));
    Ok(steps)
}

/// The names of the files that would be tests if somebody might execute them.
pub(super) fn left_out(folder: &Path, checkout: Option<&Path>) -> Vec<String> {
    let entries = fs::read_dir(placed(folder, checkout)).into_iter().flatten().flatten();
    let is_file = |entry: &DirEntry| fs::metadata(entry.path()).is_ok_and(|found| found.is_file());
    let files = entries.filter(|entry| is_file(entry) && !is_test(entry));
    let names = files.map(|entry| entry.file_name().to_string_lossy().into_owned());
    let mut names: Vec<_> = names.filter(|name| !is_backup(name)).collect();
    names.sort();
    names
}

/// Where the folder is: a relative one is in the checkout.
fn placed(folder: &Path, checkout: Option<&Path>) -> PathBuf {
    checkout.map_or_else(|| folder.to_owned(), |checkout| checkout.join(folder))
}

/// An executable file, also by way of a link; and a link that leads nowhere: that test was meant to be run.
fn is_test(entry: &DirEntry) -> bool {
    match fs::metadata(entry.path()) {
        Ok(found) => found.is_file() && found.permissions().mode() & 0o111 != 0,
        Err(_) => entry.file_type().is_ok_and(|kind| kind.is_symlink()),
    }
}

/// What editors and merges leave behind, and whatever is hidden.
fn is_backup(name: &str) -> bool {
    let ends = ["~", ".bak", ".orig", ".rej", ".swp", ".swo", ".tmp", ".rpmsave", ".dpkg-old"];
    name.starts_with(['.', '#']) || ends.iter().any(|end| name.ends_with(end))
}
