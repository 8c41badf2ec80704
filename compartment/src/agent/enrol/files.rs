//! The agent's files: what is in the way of them, and how they are written so that an interruption harms nothing.
//!
//! The token is written before the hub is told of it, under another name and with the id of its code. Whoever comes again
//! with that code goes on with that token, and the hub answers the same exchange alike. So a token is never lost, at
//! whatever moment this ends. That file is removed once all is done.

use std::fs::{self, DirBuilder};
use std::io::{self, ErrorKind, Write};
use std::os::unix::fs::DirBuilderExt;
use std::path::Path;

use compartment_runtime::{Owner, make_private_folder, read_secret, replace};
use compartment_transport_http::server::access::{Token, TokenId};

use super::EnrolError;
use super::machine::Places;

/// More than any of these files has, in bytes.
const MOST: u64 = 1 << 20;

/// A token that is on its way.
pub(super) struct Pending {
    pub(super) token: Token,
    code: TokenId,
    /// Whether its folder was made for it.
    folder_is_new: bool,
}

impl Pending {
    /// What an earlier call left; nothing where there was none, or it was not written to its end.
    fn read(path: &Path) -> Option<Self> {
        let read = read_secret(path, Owner::Trusted, MOST).ok()?;
        let (code, token) = str::from_utf8(&read).ok()?.trim().split_once(' ')?;
        Some(Self { token: token.parse().ok()?, code: code.parse().ok()?, folder_is_new: false })
    }

    fn is_in(&self, path: &Path) -> bool {
        read_secret(path, Owner::Trusted, MOST)
            .is_ok_and(|read| read.trim_ascii() == self.token.reveal().as_bytes())
    }
}

impl Places {
    /// What an enrolment left that did not come to its end: the id of its token.
    pub(super) fn left(&self, code: TokenId) -> Option<TokenId> {
        let left = Pending::read(&self.pending).filter(|left| left.code != code)?;
        Some(left.token.id())
    }

    /// Whether the token is there, and is the one of an enrolment that did not come to its end.
    fn is_unfinished(&self) -> bool {
        Pending::read(&self.pending).is_some_and(|left| left.is_in(&self.token))
    }

    /// Refuses where something is there that would be overwritten. What is there already as it is to be is in nobody's way.
    pub(super) fn check_free(&self, settings: &str, unit: Option<(&Path, &str)>) -> Result<(), EnrolError> {
        if self.token.symlink_metadata().is_ok() && !self.is_unfinished() {
            return Err(EnrolError::Exists(self.token.clone()));
        }
        for (path, text) in [(&*self.config, settings)].into_iter().chain(unit) {
            match fs::read(path) {
                Ok(read) if read == text.as_bytes() => {}
                Err(error) if error.kind() == ErrorKind::NotFound && path.symlink_metadata().is_err() => {}
                Ok(_) | Err(_) => return Err(EnrolError::Exists(path.to_owned())),
            }
        }
        Ok(())
    }

    /// Has a token for this code on the disk: the one that an earlier call made for it, or a new one.
    pub(super) fn begin(&self, code: TokenId, is_root: bool) -> Result<Pending, EnrolError> {
        let folder = self.config.parent().unwrap_or(Path::new("/"));
        // Root's folder may hold what the hub reads, which is another user; the agent's files are root's alone.
        let mode = if is_root { 0o755 } else { 0o700 };
        let folder_is_new = folder.symlink_metadata().is_err();
        let made = DirBuilder::new().recursive(true).mode(mode).create(folder);
        let checked = made.and_then(|()| make_private_folder(folder));
        checked.map_err(|source| EnrolError::file("use", folder, source))?;
        if let Some(left) = Pending::read(&self.pending).filter(|left| left.code == code) {
            return Ok(left);
        }
        let failed = |source| EnrolError::file("write", &self.pending, source);
        let token = Token::generate().map_err(|error| failed(io::Error::other(error.to_string())))?;
        let pending = Pending { token, code, folder_is_new };
        let text = format!("{code} {}\n", pending.token.reveal());
        replace(&self.pending, |file| file.write_all(text.as_bytes())).map_err(failed)?;
        Ok(pending)
    }

    /// Takes back what [`begin`](Self::begin) made: the hub has refused the code.
    pub(super) fn take_back(&self, pending: &Pending) {
        drop(fs::remove_file(&self.pending));
        if let Some(folder) = self.config.parent().filter(|_| pending.folder_is_new) {
            drop(fs::remove_dir(folder));
        }
    }

    /// Writes the token and the settings, for their owner alone.
    pub(super) fn write(&self, pending: &Pending, settings: &str) -> Result<(), EnrolError> {
        let token = format!("{}\n", pending.token.reveal());
        for (path, text) in [(&self.token, token.as_str()), (&self.config, settings)] {
            let written = replace(path, |file| file.write_all(text.as_bytes()));
            written.map_err(|source| EnrolError::file("write", path, source))?;
        }
        Ok(())
    }

    /// All is done.
    pub(super) fn finish(&self) -> Result<(), EnrolError> {
        match fs::remove_file(&self.pending) {
            Err(error) if error.kind() != ErrorKind::NotFound => {
                Err(EnrolError::file("remove", &self.pending, error))
            }
            Ok(()) | Err(_) => Ok(()),
        }
    }
}
