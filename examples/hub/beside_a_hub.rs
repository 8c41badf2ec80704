//! A short-lived program beside a running hub: it reports for a host, asks for a pull, and reads the matrix.
//!
//! `beside_a_hub https://hub.example.org gpc0 gpc0.token ~/.fleet-token`: the host's token may report for that host and
//! nothing else, and an operator's may ask and read. A host whose agent is connected speaks for itself: a report under
//! another session is refused (409).

use std::error::Error;
use std::io::{self, Write};

use compartment_core::event::{Kind, Origin, Report, RequestKind, Said};
use compartment_core::{HostId, OpId, SessionId};
use compartment_runtime::hub::new_op;
use compartment_transport_http::client::{Connection, Endpoint, TokenSource};
use compartment_transport_http::wire::events::encode;
use compartment_transport_http::wire::requests::Body;

/// Says things of a host, numbered: what is sent twice counts once.
struct Reporter<'a> {
    hub: &'a Connection,
    host: HostId,
    session: SessionId,
    next: u64,
}

impl Reporter<'_> {
    async fn say(&mut self, op: &OpId, said: Said) -> Result<(), Box<dyn Error>> {
        let origin = Some(Origin { session: self.session.clone(), n: self.next });
        let report = Report { op: Some(op.clone()), origin, ..Report::new(self.host.clone(), said) };
        // When it is answered it is durable. After an error the same report may be sent again.
        let taken = self.hub.report(&self.host, &self.session, encode(&report).into_bytes()).await?;
        self.next += 1;
        match taken.refused.first() {
            Some(refused) => Err(refused.error.clone().into()),
            None => Ok(()),
        }
    }
}

/// `host` reports, and `operator` asks and reads.
pub async fn run(
    host: &Connection,
    operator: &Connection,
    id: &HostId,
    out: &mut impl Write,
) -> Result<(), Box<dyn Error>> {
    // A session is a name that nobody has used before. A new id of an operation is one.
    let (session, op) = (SessionId::new(new_op().as_str())?, new_op());
    let mut reporter = Reporter { hub: host, host: id.clone(), session, next: 1 };
    reporter.say(&op, Said::Started { kind: Kind::Test, timeout_s: Some(60), to: None }).await?;
    // … what is tested here …
    reporter.say(&op, Said::TestPass { total: 3 }).await?;

    // The pull is durable when this is answered, and begins when the host takes it.
    let answers = operator.request(&Body::on(RequestKind::Pull, vec![id.clone()])).await?;
    for answer in answers.operations {
        match answer.refused {
            None => writeln!(out, "the pull of {id} is asked for")?,
            Some(why) => writeln!(out, "the pull of {id} was refused: {why}")?,
        }
    }
    write!(out, "{}", operator.matrix(None).await?)?;
    Ok(())
}

fn connection(url: &str, token_file: &str) -> Result<Connection, Box<dyn Error>> {
    Ok(Connection::new(Endpoint::new(url, TokenSource::File(token_file.into()))?)?)
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [url, host, host_token, operator_token] = &arguments[..] else {
        return Err(
            "say where the hub is, which host, and which files have the host's and an operator's token"
                .into(),
        );
    };
    let (host_side, operator) = (connection(url, host_token)?, connection(url, operator_token)?);
    run(&host_side, &operator, &HostId::new(host)?, &mut io::stdout()).await
}
