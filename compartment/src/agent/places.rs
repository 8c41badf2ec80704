//! Whether the places that an agent's settings name can serve. Nothing is made or changed.

use std::path::Path;

use compartment_core::Commit;
use compartment_local::git::{Git, GitError};
use compartment_runtime::{check_trusted, make_trusted_folder};
use rustix::fs::{Access, access};

/// Whether an agent of this user could keep its state in a folder, which it makes where it is not there.
pub(super) fn state(folder: &Path) -> Result<(), String> {
    let there = folder.ancestors().find(|above| above.symlink_metadata().is_ok()).unwrap_or(Path::new("/"));
    if there == folder {
        // It is there: this looks at whose it is.
        make_trusted_folder(folder).map_err(|error| error.to_string())?;
        let operations = folder.join("operations");
        if operations.exists() {
            check_trusted(&operations).map_err(|error| error.to_string())?;
        }
    } else if !there.is_dir() {
        return Err(format!("it cannot be made: {} is no folder", there.display()));
    } else {
        check_trusted(there).map_err(|error| error.to_string())?;
    }
    access(there, Access::WRITE_OK | Access::EXEC_OK).map_err(|error| {
        let remedy = "choose another folder, or run the agent as a user who may write there";
        format!("nothing can be written to {}: {error}; {remedy}", there.display())
    })
}

/// The tip of a branch at a remote, as a pull into `checkout` would find it.
pub(super) fn tip(git: &Git, checkout: &Path, remote: &str, branch: &str) -> Result<Commit, String> {
    // A clone is made from the root of the file system, by the owner of the empty folder that is there for it.
    let dir = if checkout.is_dir() { checkout } else { Path::new("/") };
    let name = format!("refs/heads/{branch}");
    let listed = git.done(dir, &["ls-remote", "--quiet", "--", remote, &name]);
    let listed = listed.map_err(|error: GitError| error.to_string())?.stdout;
    let line = String::from_utf8_lossy(&listed);
    let tip = line.lines().find_map(|line| line.strip_suffix(&format!("\t{name}")));
    let tip = tip.ok_or_else(|| format!("it has no branch `{branch}`"))?;
    Commit::new(tip).map_err(|error| format!("`{branch}`: {error}"))
}
