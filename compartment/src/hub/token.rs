//! `compartment hub token`: who may do what.

use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use compartment_console::show;
use compartment_core::{Actor, HostId, Span, Timestamp};
use compartment_runtime::Clock;
use compartment_runtime::hub::SystemClock;
use compartment_transport_http::client::EndpointError;
use compartment_transport_http::server::access::{Enrolment, Grant, Role, Token, TokenFile, TokenFileError};

use tempfile::NamedTempFile;

use super::{RoleArgs, TokenCommand};
use crate::agent::Invitation;
use crate::{Failure, Streams};

/// How many minutes an enrolment code is good for, unless said.
const MINUTES: u64 = 15;

/// Does what the command line says.
pub(super) fn run(what: &TokenCommand, mut around: Streams<'_>) -> Result<(), Failure> {
    let now = SystemClock::default().wall();
    match what {
        TokenCommand::Add { data, role, days, out, enrol, minutes } => {
            let expires_at = days.map(|days| now + Span::from_secs(days * 24 * 60 * 60));
            if let (Some(url), Some(host)) = (enrol, &role.host) {
                return around.invite(data, url, host, minutes.unwrap_or(MINUTES), expires_at);
            }
            let file = open(data)?;
            let out = out.as_deref().map(|out| Out::new(out, Before::None)).transpose()?;
            let (role, name) = who(role);
            let token = file.add(role.clone(), name, expires_at, now)?;
            around.hand_over(&token, &role, out)
        }
        TokenCommand::List { data } => {
            let file = TokenFile::existing(data)?;
            let (grants, codes) = (file.list()?, file.codes()?);
            let mut rows: Vec<_> = grants.iter().map(|grant| row(grant, now)).collect();
            rows.extend(codes.iter().map(|code| row_of_code(code, now)));
            if rows.is_empty() {
                return around
                    .tell("None:", "nobody has a token yet; issue one with `compartment hub token add`");
            }
            let table = show::columns(&["ID", "Name", "For", "Issued", "Until"], 2, &rows, around.width);
            Ok(around.output.write_all(table.as_bytes())?)
        }
        TokenCommand::Revoke { data, id } => {
            let file = TokenFile::existing(data)?;
            let grant = match file.revoke(*id, now) {
                Err(missing @ TokenFileError::Missing(_)) => {
                    let code = file.revoke_code(*id, now).map_err(|_| missing)?;
                    let words = format!("the enrolment code {id} of the host {}", code.host);
                    return around.tell("Revoked:", &words);
                }
                grant => grant?,
            };
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

fn row_of_code(code: &Enrolment, now: Timestamp) -> Vec<String> {
    let again = code.tried_again_at.map(|at| format!(", tried again {}", show::second(at)));
    let until = match code.used {
        Some(used) => format!("used {} for {}", show::second(used.at), used.token),
        None if now >= code.expires_at => format!("expired {}", show::second(code.expires_at)),
        None => show::second(code.expires_at).to_string(),
    };
    vec![
        code.id.to_string(),
        code.host.to_string(),
        format!("enrolment of {}", code.host),
        show::second(code.created_at).to_string(),
        until + &again.unwrap_or_default(),
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

    /// Issues an enrolment code, and shows the line that is pasted on its host.
    fn invite(
        &mut self,
        data: &Path,
        url: &str,
        host: &HostId,
        minutes: u64,
        token_expires_at: Option<Timestamp>,
    ) -> Result<(), Failure> {
        // What is wrong with the address is said before there is a code.
        let hub = Invitation::hub_at(url)?;
        let plain = matches!(hub.check(), Err(EndpointError::Plain { .. }));
        let (file, now) = (open(data)?, SystemClock::default().wall());
        let code = file.add_code(host.clone(), now + Span::from_mins(minutes), token_expires_at, now)?;
        let has_token = |grant: &Grant| grant.role == Role::Host(host.clone()) && !grant.has_expired(now);
        let others: Vec<_> =
            file.list()?.into_iter().filter(has_token).map(|grant| grant.id.to_string()).collect();
        writeln!(
            self.output,
            "{}",
            Invitation { hub: hub.url.to_string(), host: host.clone(), code }.command()
        )?;
        let words = format!(
            "paste it at a shell of {host}: as root for an agent of the whole system, or as the user whose home is looked \
             after. It is good once, within {minutes} min, and worth nothing afterwards."
        );
        self.mention("Line:", &words)?;
        if plain {
            let words = "the address is not encrypted, and beyond loopback the host refuses it: give one with https, or add \
                         --allow-plain to the line in a network where all are trusted";
            self.mention("Plain:", words)?;
        }
        if !others.is_empty() {
            let words = format!(
                "{host} has a token already ({}). It stays: once the new one is used, end it with `compartment hub token \
                 revoke`",
                others.join(", ")
            );
            self.mention("Others:", &words)?;
        }
        Ok(())
    }

    /// Says what is not the answer: standard output may go into a file, and holds the token alone.
    fn mention(&mut self, label: &str, words: &str) -> Result<(), Failure> {
        Ok(write!(self.aside, "{}", show::labelled(label, 7, words, self.width))?)
    }
}
