//! As whom git runs in a folder: as its owner.
//!
//! git runs programs that a repository's configuration names (filters, helpers of ssh), so it must not run for one user
//! what another one wrote: root would be taken over by whoever owns a checkout. git refuses that by itself, and is never
//! told not to. Where this user may become the owner, git runs as the owner; else it is left to refuse.

use std::env;
use std::ffi::OsString;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use nix::unistd::{Uid, User};
use subprocess::Exec;

/// A program that runs as the owner of `folder`, where somebody else than this user owns it and this user is root.
pub(crate) fn program(program: &str, folder: &Path) -> Exec {
    let words = before(folder);
    match words.split_first() {
        None => Exec::cmd(program),
        Some((first, rest)) => Exec::cmd(first).args(rest.iter()).arg(program),
    }
}

/// The words to put before a program, so that it runs as the owner of `folder`. None where that is this user, where this
/// user may not become another, or where there is no program to do so.
#[must_use]
pub fn before(folder: &Path) -> Vec<OsString> {
    let Ok(found) = fs::metadata(folder) else { return Vec::new() };
    let me = rustix::process::geteuid();
    if !me.is_root() || found.uid() == me.as_raw() {
        return Vec::new();
    }
    let (uid, user) = (found.uid(), User::from_uid(Uid::from_raw(found.uid())).ok().flatten());
    if is_installed("setpriv") {
        let groups = if user.is_some() { "--init-groups" } else { "--clear-groups" };
        let gid = user.as_ref().map_or(found.gid(), |user| user.gid.as_raw());
        let become_it = [format!("--reuid={uid}"), format!("--regid={gid}"), groups.to_owned()];
        let mut words: Vec<OsString> = ["setpriv".into()].into();
        words.extend(become_it.map(OsString::from));
        words.extend(["--no-new-privs", "env", "-u", "XDG_CONFIG_HOME"].map(OsString::from));
        let mut home = OsString::from("HOME=");
        home.push(user.map_or_else(|| "/".into(), |user| user.dir));
        words.push(home);
        words
    } else if is_installed("sudo") {
        // It finds the home by itself; what is set for git is kept.
        ["sudo", "-n", "-E", "-H", "-u", &format!("#{uid}"), "--"].map(OsString::from).to_vec()
    } else {
        Vec::new()
    }
}

fn is_installed(program: &str) -> bool {
    let path = env::var_os("PATH").unwrap_or_default();
    env::split_paths(&path).any(|dir| dir.join(program).is_file())
}
