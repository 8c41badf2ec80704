//! As whom git runs in a folder: as its owner.
//!
//! git runs programs that a repository's configuration names (filters, helpers of ssh), so it must not run for one user
//! what another one wrote: root would be taken over by whoever owns a checkout. git refuses that by itself, and is never
//! told not to. Where this user may become the owner, git runs as the owner; else it is left to refuse.

use std::env;
use std::ffi::{OsStr, OsString};
use std::fs::{self, File};
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

/// Variables that go along to whoever owns a folder, besides those for git: no other of this user's is the owner's business.
const HANDED_ON: [&str; 12] = [
    "PATH",
    "LANG",
    "LANGUAGE",
    "LOCALE_ARCHIVE",
    "TERM",
    "TZ",
    "HTTP_PROXY",
    "HTTPS_PROXY",
    "ALL_PROXY",
    "NO_PROXY",
    "SSL_CERT_FILE",
    "NIX_SSL_CERT_FILE",
];

fn is_handed_on(name: &OsStr) -> bool {
    let Some(name) = name.to_str().map(str::to_ascii_uppercase) else { return false };
    HANDED_ON.contains(&&*name) || name.starts_with("GIT_") || name.starts_with("LC_")
}

/// A program without the variables of this user that are not handed on.
fn without_ours() -> Vec<OsString> {
    let ours = env::vars_os().map(|(name, _)| name).filter(|name| !is_handed_on(name));
    ["env".into()].into_iter().chain(ours.flat_map(|name| ["-u".into(), name])).collect()
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
        let mut words: Vec<OsString> = Vec::new();
        // Whoever shares a terminal with root could type into it.
        if File::open("/dev/tty").is_ok() && is_installed("setsid") {
            words.extend(["setsid", "--wait"].map(OsString::from));
        }
        words.push("setpriv".into());
        words.extend(become_it.map(OsString::from));
        words.push("--no-new-privs".into());
        words.extend(without_ours());
        let mut home = OsString::from("HOME=");
        home.push(user.map_or_else(|| "/".into(), |user| user.dir));
        words.push(home);
        words
    } else if is_installed("sudo") {
        // It finds the home by itself; what is set for git is kept.
        let mut words =
            ["sudo", "-n", "-E", "-H", "-u", &format!("#{uid}"), "--"].map(OsString::from).to_vec();
        // All but the home that sudo has set.
        words.extend(without_ours());
        if let Some(at) = words.iter().position(|word| word == "HOME") {
            words.drain(at - 1..=at);
        }
        words
    } else {
        Vec::new()
    }
}

fn is_installed(program: &str) -> bool {
    let path = env::var_os("PATH").unwrap_or_default();
    env::split_paths(&path).any(|dir| dir.join(program).is_file())
}
