//! A folder of tests: every executable file in it is one.

use std::fs::{self, DirEntry};
use std::io::ErrorKind;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::time::Duration;

use super::{Dir, Refused, Step, no_questions, whole};

/// A step for each test, sorted by name. None where the folder is not configured, or is not there.
pub(super) fn steps(
    folder: Option<&Path>,
    checkout: Option<&Path>,
    each: Duration,
) -> Result<Vec<Step>, Refused> {
    let Some(folder) = folder else { return Ok(Vec::new()) };
    let folder = match checkout {
        Some(checkout) => checkout.join(folder),
        None => folder.to_owned(),
    };
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
