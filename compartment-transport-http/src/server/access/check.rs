//! What the running server asks with each request.

use std::collections::{HashMap, HashSet};
use std::fs::File;
use std::sync::{Arc, PoisonError, RwLock};

use compartment_core::{HostId, Timestamp};
use compartment_runtime::FileIdentity;
use subtle::ConstantTimeEq;

use super::code::{CodeEntry, CodeRefused, EnrolmentCode, Offered};
use super::file::{Loaded, TokenFile, TokenFileError};
use super::grant::{Grant, Role};
use super::stored::{Contents, Entry};
use super::token::{SecretHash, Token, TokenId};

/// Tells whom a token belongs to, and whether it still counts.
///
/// With a [`TokenFile`] each call looks at the file (one `stat`, microseconds) and reads it again when it
/// has changed: what was revoked is refused by the very next request. While the file cannot be read
/// nobody is let in, on whatever it said before, and the log says why.
#[derive(Debug)]
pub struct Access {
    source: Source,
}

/// Why a token does not count. None of these tells whether another token exists.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Denied {
    /// The text is no token.
    #[error(
        "this is no token: expected `cmp_`, 16 hex digits, `_` and 64 hex digits, as it was shown when it was issued"
    )]
    Malformed,
    /// Nobody has this token: it never was one, or it was revoked.
    #[error(
        "this token is not known: it may have been revoked; ask for a new one (`compartment hub token add`)"
    )]
    Unknown,
    /// Its time is over.
    #[error("this token expired at {at}: ask for a new one (`compartment hub token add`)")]
    Expired {
        /// When it did.
        at: Timestamp,
    },
    /// The hub cannot tell, which is no fault of the token: its file of tokens is unreadable.
    #[error("the hub cannot read its tokens, and lets nobody in until it can: its log says what to do")]
    Unavailable,
}

#[derive(Debug)]
enum Source {
    Memory(Arc<Table>),
    File(Watched),
}

#[derive(Debug)]
struct Watched {
    file: TokenFile,
    seen: RwLock<Seen>,
}

/// What was found when the file was last read.
#[derive(Debug, Default)]
struct Seen {
    /// Of the file that was judged; none, and it is read with each call, where it could not be.
    identity: Option<FileIdentity>,
    table: Option<Arc<Table>>,
    /// What the log was last told is wrong.
    trouble: Option<String>,
    /// Kept open for [`Loaded::open`]'s sake.
    _open: Option<File>,
}

#[derive(Default)]
struct Table {
    entries: HashMap<TokenId, Entry>,
    codes: HashMap<TokenId, CodeEntry>,
    /// Whose agents have a token.
    hosts: HashSet<HostId>,
}

impl Access {
    /// For a hub with its tokens in a file.
    ///
    /// # Errors
    /// [`TokenFileError`] when the file is refused: a server had better not start then.
    pub fn from_file(file: TokenFile) -> Result<Self, TokenFileError> {
        let seen = Seen::good(file.load()?);
        Ok(Self { source: Source::File(Watched { file, seen: RwLock::new(seen) }) })
    }

    /// For programs that bring their own tokens, and for tests. A grant counts for the token beside it.
    #[must_use]
    pub fn in_memory(tokens: Vec<(Token, Grant)>) -> Self {
        let entries = tokens.into_iter().map(|(token, grant)| {
            let grant = Grant { id: token.id(), ..grant };
            Entry { grant, sha256: token.hash() }
        });
        let contents = Contents { tokens: entries.collect(), codes: Vec::new() };
        Self { source: Source::Memory(Arc::new(Table::new(contents))) }
    }

    /// What the bearer of a token may do.
    ///
    /// # Errors
    /// [`Denied`]: 503 for [`Denied::Unavailable`], 401 for the others.
    pub fn authenticate(&self, presented: &str, now: Timestamp) -> Result<Grant, Denied> {
        let token: Token = presented.parse().map_err(|_| Denied::Malformed)?;
        let table = self.table()?;
        let entry = table.entries.get(&token.id());
        // The same work for a token that there is not, so that time tells nothing of which there are.
        let expected = entry.map_or(&SecretHash::OF_NOBODY, |entry| &entry.sha256);
        let right = token.hash().ct_eq(expected);
        let grant = entry.map(|entry| &entry.grant).filter(|_| right.into()).ok_or(Denied::Unknown)?;
        match grant.expires_at {
            Some(at) if grant.has_expired(now) => Err(Denied::Expired { at }),
            Some(_) | None => Ok(grant.clone()),
        }
    }

    /// Whether a text is an enrolment code of a host. What becomes of it is found by [`exchange`](Self::exchange).
    ///
    /// # Errors
    /// [`CodeRefused`]: one that is none, is not known, or is for another host.
    pub(crate) fn code(&self, presented: &str, host: &HostId) -> Result<EnrolmentCode, CodeRefused> {
        let code: EnrolmentCode = presented.parse().map_err(|_| CodeRefused::Malformed)?;
        let table = self.table().map_err(|_| CodeRefused::Unavailable)?;
        match table.codes.get(&code.id()) {
            Some(entry) => entry.check(&code, host).map(|()| code),
            None => {
                // The same work for a code that there is not, so that time tells nothing of which there are.
                let _never = code.hash().ct_eq(&SecretHash::OF_NOBODY);
                Err(CodeRefused::Unknown)
            }
        }
    }

    /// Exchanges an enrolment code for leave to use a token that the host has made. It blocks while the disk works, and
    /// while another writer of the file has its turn.
    ///
    /// # Errors
    /// [`CodeRefused`]. What was wrong with the file is in the log.
    pub(crate) fn exchange(
        &self,
        code: &EnrolmentCode,
        host: &HostId,
        offered: &Offered,
        now: Timestamp,
    ) -> Result<Grant, CodeRefused> {
        let Source::File(watched) = &self.source else { return Err(CodeRefused::Unknown) };
        // What changes nothing is answered without a write: whoever holds a code that was used can ask for ever.
        if let Some(answer) = self.table().map_err(|_| CodeRefused::Unavailable)?.settled(code, offered) {
            return answer;
        }
        watched.file.exchange(code, host, offered, now).unwrap_or_else(|error| {
            tracing::error!("an enrolment code cannot be exchanged: {error}");
            Err(CodeRefused::Unavailable)
        })
    }

    /// Whether a token that was let in before still counts: to be asked now and then by what outlives its
    /// request, such as a stream of events.
    #[must_use]
    pub fn still_valid(&self, id: &TokenId, now: Timestamp) -> bool {
        self.table()
            .is_ok_and(|table| table.entries.get(id).is_some_and(|entry| !entry.grant.has_expired(now)))
    }

    /// Whether there is a token that speaks for a host, or was one until it expired.
    #[must_use]
    pub fn speaks_for(&self, host: &HostId) -> bool {
        self.table().is_ok_and(|table| table.hosts.contains(host))
    }

    fn table(&self) -> Result<Arc<Table>, Denied> {
        match &self.source {
            Source::Memory(table) => Some(Arc::clone(table)),
            Source::File(watched) => watched.table(),
        }
        .ok_or(Denied::Unavailable)
    }
}

impl Watched {
    fn table(&self) -> Option<Arc<Table>> {
        let found = self.file.identity().ok();
        let seen = self.seen.read().unwrap_or_else(PoisonError::into_inner);
        if found.is_some() && found == seen.identity {
            return seen.table.clone();
        }
        drop(seen);

        let mut seen = self.seen.write().unwrap_or_else(PoisonError::into_inner);
        // Whoever had the lock before may have read it already.
        let found = self.file.identity().ok();
        if found.is_none() || found != seen.identity {
            seen.look_again(&self.file, found);
        }
        seen.table.clone()
    }
}

impl Seen {
    fn good(Loaded { contents, identity, open }: Loaded) -> Self {
        let table = Some(Arc::new(Table::new(contents)));
        Self { identity: Some(identity), table, trouble: None, _open: Some(open) }
    }

    fn look_again(&mut self, file: &TokenFile, found: Option<FileIdentity>) {
        let error = match file.load() {
            Ok(loaded) => {
                let path = file.path().display();
                tracing::info!(file = %path, tokens = loaded.contents.tokens.len(), "the tokens have changed");
                *self = Self::good(loaded);
                return;
            }
            Err(error) => error,
        };
        let trouble = error.to_string();
        // With each request it would drown the log.
        if self.trouble.as_ref() != Some(&trouble) {
            tracing::error!("nobody is let in until the tokens can be read: {trouble}");
        }
        let identity = if error.may_pass() { None } else { found };
        *self = Self { identity, table: None, trouble: Some(trouble), _open: None };
    }
}

impl Table {
    /// The answer to an exchange that was made before, or was refused and written down before. Nothing where the file has
    /// to be asked.
    fn settled(&self, code: &EnrolmentCode, offered: &Offered) -> Option<Result<Grant, CodeRefused>> {
        let entry = self.codes.get(&code.id())?;
        let answer = entry.before(|id| self.entries.get(&id), offered)?;
        (answer.is_ok() || entry.enrolment.tried_again_at.is_some()).then_some(answer)
    }

    fn new(Contents { tokens, codes }: Contents) -> Self {
        let entries: HashMap<_, _> = tokens.into_iter().map(|entry| (entry.grant.id, entry)).collect();
        let codes = codes.into_iter().map(|entry| (entry.enrolment.id, entry)).collect();
        let host = |entry: &Entry| match &entry.grant.role {
            Role::Host(host) => Some(host.clone()),
            Role::Operator | Role::Reader => None,
        };
        Self { hosts: entries.values().filter_map(host).collect(), codes, entries }
    }
}

impl std::fmt::Debug for Table {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_set().entries(self.entries.keys()).finish()
    }
}
