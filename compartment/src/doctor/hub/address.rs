//! The address: whether it is free, or a hub answers there already; and how many connections there may be.

use std::io::ErrorKind;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener};
use std::path::Path;

use compartment_transport_http::client::{ClientError, Connection, Endpoint, Token, TokenSource};
use rustix::process::{Resource, getrlimit};

use super::{Finding, Looked};

const CHECK: &str = "address";

pub(super) fn address(looked: &Looked) -> Vec<Finding> {
    let mut found = vec![taken(looked)];
    found.extend(plain(looked));
    found
}

/// Whether tokens would travel in the clear.
fn plain(looked: &Looked) -> Option<Finding> {
    let (listen, serve) = (looked.serve.listen, &looked.serve);
    if listen.ip().is_loopback() || serve.tls_cert.is_some() {
        return None;
    }
    let remedy =
        "give --tls-cert and --tls-key, or --listen on 127.0.0.1 or [::1] behind a proxy that has TLS";
    Some(match serve.allow_plain {
        true => {
            let words =
                format!("{listen} can be reached by other machines, and whoever is between reads the tokens");
            Finding::doubt(
                "plain HTTP",
                words,
                format!("{remedy}; --allow-plain is for a network where all are trusted"),
            )
        }
        false => {
            let words = format!(
                "{listen} can be reached by other machines, and without TLS the hub does not listen there"
            );
            Finding::bad("plain HTTP", words, remedy)
        }
    })
}

fn taken(looked: &Looked) -> Finding {
    let listen = looked.serve.listen;
    let error = match TcpListener::bind(listen) {
        Ok(_) => return Finding::good(CHECK, format!("{listen} is free")),
        Err(error) => error,
    };
    let kind = error.kind();
    if kind == ErrorKind::AddrInUse {
        return in_use(looked, listen);
    }
    let remedy = match kind == ErrorKind::PermissionDenied {
        true => "take a port from 1024 on, or give the service CAP_NET_BIND_SERVICE",
        false => "take an address of this machine (`ip address`), or 127.0.0.1",
    };
    Finding::bad(CHECK, format!("{listen} cannot be listened on: {error}"), remedy)
}

/// Something has the address: a hub, or something else.
fn in_use(looked: &Looked, listen: SocketAddr) -> Finding {
    let elsewhere = "end it, or take another address (--listen)";
    match health(looked, listen) {
        Ok((status, upkeep)) if status == "ok" && upkeep.is_empty() => {
            Finding::good(CHECK, format!("a hub answers at {listen} already (ok)"))
        }
        Ok((status, upkeep)) => {
            let words = format!("a hub answers at {listen} already, and is {status}: {}", upkeep.join("; "));
            Finding::doubt(CHECK, words, "see what the hub itself says (`journalctl -u compartment-hub`)")
        }
        // The certificate is for a name, and this is an address.
        Err(ClientError::Unreachable(why))
            if looked.serve.tls_cert.is_some() && why.as_str().contains("certificate") =>
        {
            let words = format!("something with TLS answers at {listen} already, which may be the hub");
            Finding::doubt(CHECK, words, "ask it by its name: `curl https://NAME/healthz`")
        }
        Err(why) => {
            let words = format!("something listens at {listen} that is no hub: {why}");
            Finding::bad(CHECK, words, elsewhere)
        }
    }
}

/// How the hub is that answers there.
fn health(looked: &Looked, listen: SocketAddr) -> Result<(String, Vec<String>), ClientError> {
    let ip = match listen.ip() {
        IpAddr::V4(ip) => IpAddr::V4(if ip.is_unspecified() { Ipv4Addr::LOCALHOST } else { ip }),
        IpAddr::V6(ip) => IpAddr::V6(if ip.is_unspecified() { Ipv6Addr::LOCALHOST } else { ip }),
    };
    let scheme = if looked.serve.tls_cert.is_some() { "https" } else { "http" };
    let cannot =
        |why: &dyn std::fmt::Display| ClientError::Unreachable(compartment_core::Text::new(&why.to_string()));
    let url = format!("{scheme}://{}", SocketAddr::new(ip, listen.port()));
    let nobody = TokenSource::Given(Token::new("nobody").map_err(|error| cannot(&error))?);
    let endpoint = Endpoint::new(&url, nobody).map_err(|error| cannot(&error))?;
    let endpoint =
        Endpoint { plain_beyond_loopback: true, ca_file: looked.serve.tls_cert.clone(), ..endpoint };
    let connection = Connection::new(endpoint).map_err(|error| cannot(&error))?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let health = runtime.map_err(|error| cannot(&error))?.block_on(connection.health())?;
    Ok((health.status, health.upkeep))
}

/// How many files a hub keeps for its own; the rest is for connections.
const RESERVE: u64 = 256;

/// From how many connections on a word is not worth it.
const ENOUGH: u64 = 1024;

/// The limit of open files, as far as it may be raised.
pub(super) fn open_files(looked: &Looked) -> Vec<Finding> {
    let most = match getrlimit(Resource::Nofile).maximum {
        None => return vec![Finding::good("open files", "there is no limit")],
        Some(most) => most,
    };
    let connections = most - (most / 4).min(RESERVE);
    let words = format!("{most} files may be open here, which is enough for {connections} connections");
    let unit = looked.root.join("etc/systemd/system/compartment-hub.service");
    let remedy = match Path::exists(&unit) {
        true => {
            "raise it (`ulimit -Hn`); for the service LimitNOFILE= counts, which is high unless it is set"
        }
        false => "raise the hard limit of whoever runs the hub (`ulimit -Hn`)",
    };
    vec![match connections < ENOUGH {
        true => Finding::doubt("open files", words, remedy),
        false => Finding::good("open files", words),
    }]
}
