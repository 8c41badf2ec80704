//! The file of tokens: read by the hub that runs, written by `compartment hub token …` meanwhile.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{MetadataExt, fchown};
use std::path::{Path, PathBuf};

use compartment_core::{Actor, HostId, Span, Timestamp};
use compartment_runtime::{FileIdentity, private_file, replace};

use super::code::{CodeEntry, CodeRefused, Enrolment, EnrolmentCode, Offered};
use super::grant::{Grant, Role};
use super::stored::{self, Contents, Entry, MOST_BYTES, Unreadable};
use super::token::{Token, TokenId};

/// The tokens of a hub, in its data folder: `tokens.json`, readable by its owner alone.
///
/// Any number of processes may use one file: writers take turns by a lock file beside it, and each
/// puts a complete new file in the place of the old one, so that a reader sees one or the other. All
/// calls block while the disk works, and those that write also while another writer has its turn.
#[derive(Clone, Debug)]
pub struct TokenFile {
    folder: PathBuf,
    file: PathBuf,
}

/// Why the tokens cannot be read or changed. The file is as it was.
#[derive(Debug, thiserror::Error)]
pub enum TokenFileError {
    /// The storage does not allow it.
    #[error("cannot {doing} {}: {source}", .file.display())]
    Io {
        /// What was tried.
        doing: &'static str,
        /// With which file or folder.
        file: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// Others may read or write the file.
    #[error(
        "{} has the mode {mode:03o}, which lets others at it: run `chmod 600` on it, and make sure that each of its \
             tokens is one of yours (`compartment hub token list`)",
        .file.display()
    )]
    Exposed {
        /// The file.
        file: PathBuf,
        /// Its permissions.
        mode: u32,
    },
    /// Another user owns the file, and may give themselves tokens.
    #[error(
        "{} belongs to another user (of the id {owner}): give it to the user that the hub runs as (`chown`), and make \
             sure that each of its tokens is one of yours (`compartment hub token list`)",
        .file.display()
    )]
    Foreign {
        /// The file.
        file: PathBuf,
        /// The id of its owner.
        owner: u32,
    },
    /// A newer version of this program wrote it.
    #[error(
        "{} is written in format {version}, which is newer than this program: update the program. Nothing was changed",
        .file.display()
    )]
    Newer {
        /// The file.
        file: PathBuf,
        /// The version of its format.
        version: u32,
    },
    /// What is in it is not what was written.
    #[error(
        "{} is broken: {why}. Nothing was changed. Put a backup in its place, or move it away and issue new tokens \
             (`compartment hub token add`)",
        .file.display()
    )]
    Broken {
        /// The file.
        file: PathBuf,
        /// What is wrong, and where.
        why: String,
    },
    /// There is no room for another token.
    #[error("{} is full: revoke tokens that nobody uses (`compartment hub token list`)", .file.display())]
    Full {
        /// The file.
        file: PathBuf,
    },
    /// No token has this id.
    #[error("there is no token {0}: see `compartment hub token list`")]
    Missing(TokenId),
    /// The token was rotated before.
    #[error("the token {id} was replaced by {by}: rotate that one")]
    Replaced {
        /// The token that was to be rotated.
        id: TokenId,
        /// The one that took its place.
        by: TokenId,
    },
    /// There are no random numbers to make a token of.
    #[error("the system gives no random numbers: {0}")]
    Random(getrandom::Error),
}

/// A file that was read.
pub(super) struct Loaded {
    pub(super) contents: Contents,
    pub(super) identity: FileIdentity,
    /// While it is open, no new file gets its inode, and with it perhaps its identity.
    pub(super) open: File,
}

impl TokenFile {
    /// How long a rotated token goes on to be valid, unless told otherwise.
    pub const GRACE: Span = Span::from_mins(10);

    /// How long an enrolment code is remembered after its end: for so long a second use is told from a code that never was.
    const CODE_REMEMBERED: Span = Span::from_secs(30 * 24 * 60 * 60);

    const NAME: &str = "tokens.json";

    /// Opens the file in the hub's data `folder`, and begins an empty one where there is none.
    ///
    /// # Errors
    /// [`TokenFileError`] when there is no such folder, or what is in the file is refused.
    pub fn open(folder: &Path) -> Result<Self, TokenFileError> {
        let this = Self::in_folder(folder);
        if !this.file.exists() {
            let _turn = this.take_turn()?;
            if !this.file.exists() {
                this.write(&Contents::default())?;
            }
        }
        this.load()?;
        Ok(this)
    }

    /// Opens the file in the hub's data `folder`, and makes none.
    ///
    /// # Errors
    /// [`TokenFileError`] when there is no such file, or what is in it is refused.
    pub fn existing(folder: &Path) -> Result<Self, TokenFileError> {
        let this = Self::in_folder(folder);
        this.load()?;
        Ok(this)
    }

    fn in_folder(folder: &Path) -> Self {
        Self { folder: folder.to_owned(), file: folder.join(Self::NAME) }
    }

    /// Where it is.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.file
    }

    /// Issues a token. What is returned is the only copy of its secret.
    ///
    /// # Errors
    /// [`TokenFileError`]; no token was issued then.
    pub fn add(
        &self,
        role: Role,
        name: Actor,
        expires_at: Option<Timestamp>,
        now: Timestamp,
    ) -> Result<Token, TokenFileError> {
        self.change(now, |Contents { tokens, .. }| {
            let token = unused(tokens)?;
            let grant = Grant { expires_at, ..Grant::new(&token, role, name, now) };
            tokens.push(Entry { grant, sha256: token.hash() });
            Ok(token)
        })
    }

    /// Issues an enrolment code for a host, good once and until `expires_at`. The token that it is exchanged for ends at
    /// `token_expires_at`, or never. What is returned is the only copy of the code's secret.
    ///
    /// # Errors
    /// [`TokenFileError`]; no code was issued then.
    pub fn add_code(
        &self,
        host: HostId,
        expires_at: Timestamp,
        token_expires_at: Option<Timestamp>,
        now: Timestamp,
    ) -> Result<EnrolmentCode, TokenFileError> {
        self.change(now, |Contents { codes, .. }| {
            let code = loop {
                let code = EnrolmentCode::generate().map_err(TokenFileError::Random)?;
                if codes.iter().all(|entry| entry.enrolment.id != code.id()) {
                    break code;
                }
            };
            let (id, created_at) = (code.id(), now);
            let (used, tried_again_at) = (None, None);
            let enrolment =
                Enrolment { id, host, created_at, expires_at, token_expires_at, used, tried_again_at };
            codes.push(CodeEntry { enrolment, sha256: code.hash() });
            Ok(code)
        })
    }

    /// The enrolment codes that are remembered, in the order in which they were issued: those that can be used, those that
    /// were, and those that have expired.
    ///
    /// # Errors
    /// [`TokenFileError`] when the file is refused.
    pub fn codes(&self) -> Result<Vec<Enrolment>, TokenFileError> {
        Ok(self.load()?.contents.codes.into_iter().map(|entry| entry.enrolment).collect())
    }

    /// Exchanges an enrolment code for leave to use a token that the host has made.
    pub(super) fn exchange(
        &self,
        code: &EnrolmentCode,
        host: &HostId,
        offered: &Offered,
        now: Timestamp,
    ) -> Result<Result<Grant, CodeRefused>, TokenFileError> {
        self.change(now, |contents| Ok(contents.exchange(code, host, offered, now)))
    }

    /// All tokens, in the order in which they were issued, with those that have expired.
    ///
    /// # Errors
    /// [`TokenFileError`] when the file is refused.
    pub fn list(&self) -> Result<Vec<Grant>, TokenFileError> {
        Ok(self.load()?.contents.tokens.into_iter().map(|entry| entry.grant).collect())
    }

    /// Ends a token at once, and forgets it.
    ///
    /// # Errors
    /// [`TokenFileError::Missing`], or another; nothing was revoked then.
    pub fn revoke(&self, id: TokenId, now: Timestamp) -> Result<Grant, TokenFileError> {
        self.change(now, |Contents { tokens, .. }| {
            let at = tokens.iter().position(|entry| entry.grant.id == id);
            Ok(tokens.remove(at.ok_or(TokenFileError::Missing(id))?).grant)
        })
    }

    /// Ends an enrolment code at once, and forgets it. A token that it was exchanged for stays.
    ///
    /// # Errors
    /// [`TokenFileError::Missing`], or another; nothing was revoked then.
    pub fn revoke_code(&self, id: TokenId, now: Timestamp) -> Result<Enrolment, TokenFileError> {
        self.change(now, |Contents { codes, .. }| {
            let at = codes.iter().position(|entry| entry.enrolment.id == id);
            Ok(codes.remove(at.ok_or(TokenFileError::Missing(id))?).enrolment)
        })
    }

    /// Issues a token for the same role and name, to last as long as the old one was meant to. The old
    /// one stays valid for `grace`, or ends at once where that is zero.
    ///
    /// # Errors
    /// [`TokenFileError::Missing`], [`TokenFileError::Replaced`] or another; both tokens are as they were then.
    pub fn rotate(&self, id: TokenId, grace: Span, now: Timestamp) -> Result<Token, TokenFileError> {
        self.change(now, |Contents { tokens, .. }| {
            let token = unused(tokens)?;
            let old = tokens.iter_mut().map(|entry| &mut entry.grant).find(|grant| grant.id == id);
            let old = old.ok_or(TokenFileError::Missing(id))?;
            if let Some(by) = old.replaced_by {
                return Err(TokenFileError::Replaced { id, by });
            }
            let expires_at = old.expires_at.map(|end| now + end.since(old.created_at));
            let (role, name) = (old.role.clone(), old.name.clone());
            old.replaced_by = Some(token.id());
            old.expires_at = Some(old.expires_at.map_or(now + grace, |end| end.min(now + grace)));
            let grant = Grant { expires_at, ..Grant::new(&token, role, name, now) };
            tokens.push(Entry { grant, sha256: token.hash() });
            Ok(token)
        })
    }

    pub(super) fn identity(&self) -> io::Result<FileIdentity> {
        FileIdentity::of_path(&self.file)
    }

    pub(super) fn load(&self) -> Result<Loaded, TokenFileError> {
        let file = || self.file.clone();
        let open = File::open(&self.file).map_err(self.failed("open"))?;
        let metadata = open.metadata().map_err(self.failed("look at"))?;
        let mode = metadata.mode() & 0o777;
        if mode & 0o077 != 0 {
            return Err(TokenFileError::Exposed { file: file(), mode });
        }
        if !self.may_own(metadata.uid()).map_err(self.failed("look at"))? {
            return Err(TokenFileError::Foreign { file: file(), owner: metadata.uid() });
        }
        let mut json = Vec::new();
        (&open).take(MOST_BYTES + 1).read_to_end(&mut json).map_err(self.failed("read"))?;
        if json.len() as u64 > MOST_BYTES {
            return Err(TokenFileError::Broken {
                file: file(),
                why: "it is larger than any file of tokens".into(),
            });
        }
        let contents = stored::decode(&json).map_err(|why| match why {
            Unreadable::Newer(version) => TokenFileError::Newer { file: file(), version },
            Unreadable::Broken(why) => TokenFileError::Broken { file: file(), why },
        })?;
        Ok(Loaded { contents, identity: FileIdentity::of(&metadata), open })
    }

    fn change<R>(
        &self,
        now: Timestamp,
        change: impl FnOnce(&mut Contents) -> Result<R, TokenFileError>,
    ) -> Result<R, TokenFileError> {
        let _turn = self.take_turn()?;
        let mut contents = self.load()?.contents;
        let result = change(&mut contents)?;
        // Whoever rotates for years is not to keep all that ever were.
        contents.tokens.retain(|Entry { grant, .. }| grant.replaced_by.is_none() || !grant.has_expired(now));
        let remembered = |entry: &CodeEntry| now < entry.enrolment.expires_at + Self::CODE_REMEMBERED;
        contents.codes.retain(remembered);
        self.write(&contents)?;
        Ok(result)
    }

    /// Waits for the turn to write. It ends when the file that is returned is dropped, or its process ends.
    fn take_turn(&self) -> Result<File, TokenFileError> {
        let path = self.beside("lock");
        let failed = |source| TokenFileError::Io { doing: "lock", file: path.clone(), source };
        let lock = match private_file().create_new(true).open(&path) {
            Ok(new) => {
                self.give_to_owner(&new).map_err(failed)?;
                new
            }
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                OpenOptions::new().write(true).open(&path).map_err(failed)?
            }
            Err(error) => return Err(failed(error)),
        };
        lock.lock().map_err(failed)?;
        Ok(lock)
    }

    /// Puts a new file in the place of the old one, or fails and leaves the old one.
    fn write(&self, contents: &Contents) -> Result<(), TokenFileError> {
        let failed = self.failed("replace");
        let json = stored::encode(contents).map_err(|error| failed(error.into()))?;
        if json.len() as u64 > MOST_BYTES {
            return Err(TokenFileError::Full { file: self.file.clone() });
        }
        let written = replace(&self.file, |file| {
            self.give_to_owner(file)?;
            file.write_all(&json)
        });
        written.map_err(failed)
    }

    /// Whether a file of this owner is the hub's: the user's who reads it, root's, or, where root reads it, that of
    /// whoever owns the folder.
    fn may_own(&self, owner: u32) -> io::Result<bool> {
        let reader = rustix::process::geteuid().as_raw();
        Ok(owner == reader || owner == 0 || (reader == 0 && owner == fs::metadata(&self.folder)?.uid()))
    }

    /// Where root runs `compartment hub token add`, the hub's own user must still be able to read the file.
    fn give_to_owner(&self, file: &File) -> io::Result<()> {
        let model = fs::metadata(&self.file).or_else(|_| fs::metadata(&self.folder))?;
        if file.metadata()?.uid() == model.uid() {
            return Ok(());
        }
        fchown(file, Some(model.uid()), Some(model.gid()))
    }

    fn beside(&self, extension: &str) -> PathBuf {
        self.folder.join(format!("{}.{extension}", Self::NAME))
    }

    fn failed(&self, doing: &'static str) -> impl Fn(io::Error) -> TokenFileError + '_ {
        move |source| TokenFileError::Io { doing, file: self.file.clone(), source }
    }
}

impl TokenFileError {
    /// Whether it may be over by itself, with the very same file: a disk that is busy, no descriptor left.
    pub(super) const fn may_pass(&self) -> bool {
        match self {
            Self::Io { .. } | Self::Random(_) => true,
            Self::Exposed { .. } | Self::Foreign { .. } | Self::Newer { .. } => false,
            Self::Broken { .. } | Self::Full { .. } => false,
            Self::Missing(_) | Self::Replaced { .. } => false,
        }
    }
}

/// A token whose id no other has.
fn unused(tokens: &[Entry]) -> Result<Token, TokenFileError> {
    loop {
        let token = Token::generate().map_err(TokenFileError::Random)?;
        if tokens.iter().all(|entry| entry.grant.id != token.id()) {
            return Ok(token);
        }
    }
}
