//! `compartment hub token`: who may do what.

use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use compartment_console::show;
use compartment_core::{Actor, HostId, Span, Timestamp};
use compartment_runtime::Clock;
use compartment_runtime::hub::SystemClock;
use compartment_transport_http::server::access::{Grant, Role, Token, TokenFile};

use tempfile::NamedTempFile;

use super::{RoleArgs, TokenCommand};
use crate::{Failure, Streams};

/// Does what the command line says.
pub(super) fn run(what: &TokenCommand, mut around: Streams<'_>) -> Result<(), Failure> {
    let now = SystemClock::default().wall();
    match what {
        TokenCommand::Add { data, role, days, out } => {
            let file = open(data)?;
            let out = out.as_deref().map(|out| Out::new(out, Before::None)).transpose()?;
            let (role, name) = who(role);
            let expires_at = days.map(|days| now + Span::from_secs(days * 24 * 60 * 60));
            let token = file.add(role.clone(), name, expires_at, now)?;
            around.hand_over(&token, &role, out)
        }
        TokenCommand::List { data } => {
            let grants = TokenFile::existing(data)?.list()?;
            let rows: Vec<_> = grants.iter().map(|grant| row(grant, now)).collect();
            if rows.is_empty() {
                return around
                    .tell("None:", "nobody has a token yet; issue one with `compartment hub token add`");
            }
            let table = show::columns(&["ID", "Name", "For", "Issued", "Until"], 2, &rows, around.width);
            Ok(around.output.write_all(table.as_bytes())?)
        }
        TokenCommand::Revoke { data, id } => {
            let grant = TokenFile::existing(data)?.revoke(*id, now)?;
            around.tell("Revoked:", &format!("the token {id} of {}, for {}", grant.name, grant.role))
        }
        TokenCommand::Rotate { data, id, grace, out } => {
            let file = TokenFile::existing(data)?;
            let out = out.as_deref().map(|out| Out::new(out, Before::Replaced)).transpose()?;
            let token = file.rotate(*id, Span::from_mins(*grace), now)?;
            let grants = file.list()?;
            let role = grants.into_iter().find(|grant| grant.id == token.id()).map(|grant| grant.role);
            around.hand_over(&token, &role.unwrap_or(Role::Reader), out)?;
            let words = match grace {
                0 => "the old token has ended: what uses it is refused until it has the new one".to_owned(),
                _ => format!("the old token ends in {grace} min: replace it until then"),
            };
            around.mention("Before:", &words)
        }
    }
}

fn open(folder: &Path) -> Result<TokenFile, Failure> {
    compartment_runtime::make_private_folder(folder).map_err(|source| Failure::File {
        what: "use",
        path: folder.to_owned(),
        source,
    })?;
    Ok(TokenFile::open(folder)?)
}

fn who(role: &RoleArgs) -> (Role, Actor) {
    let named = |host: &HostId| Actor::new(host.as_str()).expect("a host's name is a name");
    match (&role.host, &role.operator, &role.reader) {
        (Some(host), _, _) => (Role::Host(host.clone()), named(host)),
        (None, Some(name), _) => (Role::Operator, name.clone()),
        (None, None, name) => (Role::Reader, name.clone().expect("one of the three is required")),
    }
}

fn row(grant: &Grant, now: Timestamp) -> Vec<String> {
    let until = match grant.expires_at {
        None => "no end".to_owned(),
        Some(at) if grant.has_expired(now) => format!("expired {}", show::second(at)),
        Some(at) => show::second(at).to_string(),
    };
    vec![
        grant.id.to_string(),
        grant.name.to_string(),
        grant.role.to_string(),
        show::second(grant.created_at).to_string(),
        until,
    ]
}

/// What is to become of a file that is there.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Before {
    /// There may be none: it could hold another token.
    None,
    /// It holds the old token, and is replaced.
    Replaced,
}

/// The file that a token is written into. It is begun before the token is issued: a token that could not be written
/// would be lost.
struct Out {
    part: NamedTempFile,
    file: PathBuf,
    before: Before,
}

impl Out {
    fn new(file: &Path, before: Before) -> Result<Self, Failure> {
        let cannot = |source| cannot_write(file, source);
        if before == Before::None && file.symlink_metadata().is_ok() {
            return Err(Failure::Exists(file.to_owned()));
        }
        let folder = file.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
        // It is readable for its owner alone.
        let part = NamedTempFile::new_in(folder).map_err(cannot)?;
        Ok(Self { part, file: file.to_owned(), before })
    }

    fn write(mut self, token: &Token) -> Result<PathBuf, Failure> {
        let cannot = |source| cannot_write(&self.file, source);
        writeln!(self.part, "{}", token.reveal()).map_err(cannot)?;
        self.part.as_file().sync_all().map_err(cannot)?;
        let named = match self.before {
            Before::None => self.part.persist_noclobber(&self.file),
            Before::Replaced => self.part.persist(&self.file),
        };
        named.map_err(|error| cannot(error.error))?;
        Ok(self.file)
    }
}

fn cannot_write(file: &Path, source: io::Error) -> Failure {
    Failure::File { what: "write", path: file.to_owned(), source }
}

impl Streams<'_> {
    fn hand_over(&mut self, token: &Token, role: &Role, out: Option<Out>) -> Result<(), Failure> {
        let Some(out) = out else { return self.show(token, role) };
        let file = out.write(token)?;
        self.mention("Token:", &format!("for {role}, in {}. The hub keeps only its hash.", file.display()))
    }

    fn show(&mut self, token: &Token, role: &Role) -> Result<(), Failure> {
        writeln!(self.output, "{}", token.reveal())?;
        let words = format!(
            "for {role}. It is not shown again, and the hub keeps only its hash: put it in a file that nobody else \
             can read (--out FILE does)."
        );
        self.mention("Token:", &words)
    }

    /// Says what is not the answer: standard output may go into a file, and holds the token alone.
    fn mention(&mut self, label: &str, words: &str) -> Result<(), Failure> {
        Ok(write!(self.aside, "{}", show::labelled(label, 7, words, self.width))?)
    }
}
