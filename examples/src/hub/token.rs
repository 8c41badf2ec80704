//! `hub token`: who may do what.

use compartment_core::{Actor, HostId, Span, Timestamp};
use compartment_runtime::Clock;
use compartment_runtime::hub::SystemClock;
use compartment_transport_http::server::access::{Grant, Role, Token, TokenFile};

use super::{HubError, RoleArgs, Surroundings, TokenCommand};
use crate::show;

/// Does what the command line says.
pub(super) fn run(what: &TokenCommand, mut around: Surroundings<'_>) -> Result<(), HubError> {
    let now = SystemClock::default().wall();
    match what {
        TokenCommand::Add { data, role, days } => {
            let file = open(data)?;
            let (role, name) = who(role);
            let expires_at = days.map(|days| now + Span::from_secs(days * 24 * 60 * 60));
            let token = file.add(role.clone(), name, expires_at, now)?;
            around.show(&token, &role)
        }
        TokenCommand::List { data } => {
            let grants = open(data)?.list()?;
            let rows: Vec<_> = grants.iter().map(|grant| row(grant, now)).collect();
            if rows.is_empty() {
                return around.tell("None:", "nobody has a token yet; issue one with `hub token add`");
            }
            let table = show::columns(&["ID", "Name", "For", "Issued", "Until"], 2, &rows, around.width);
            Ok(around.output.write_all(table.as_bytes())?)
        }
        TokenCommand::Revoke { data, id } => {
            let grant = open(data)?.revoke(*id, now)?;
            around.tell("Revoked:", &format!("the token {id} of {}, for {}", grant.name, grant.role))
        }
        TokenCommand::Rotate { data, id, grace } => {
            let file = open(data)?;
            let token = file.rotate(*id, Span::from_mins(*grace), now)?;
            let grants = file.list()?;
            let role = grants.into_iter().find(|grant| grant.id == token.id()).map(|grant| grant.role);
            around.show(&token, &role.unwrap_or(Role::Reader))
        }
    }
}

fn open(folder: &std::path::Path) -> Result<TokenFile, HubError> {
    std::fs::create_dir_all(folder).map_err(|source| HubError::File {
        what: "make",
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

impl Surroundings<'_> {
    fn show(&mut self, token: &Token, role: &Role) -> Result<(), HubError> {
        writeln!(self.output, "{}", token.reveal())?;
        let words = format!(
            "for {role}. It is not shown again, and the hub keeps only its hash: put it in a file that nobody else \
             can read."
        );
        Ok(write!(self.aside, "{}", show::labelled("Token:", 7, &words, self.width))?)
    }
}
