//! The certificate: whether the hub would start with it, and for how long it counts.

use std::fs::metadata;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use compartment_core::Span;
use compartment_transport_http::server::listen::{TlsFiles, Validity};

use super::{Finding, Looked};

/// How long before its end a certificate is worth a word.
const SOON: Span = Span::from_secs(30 * 24 * 60 * 60);

const CHECK: &str = "certificate";

pub(super) fn certificate(looked: &Looked) -> Vec<Finding> {
    let serve = &looked.serve;
    let Some((certificate, key)) = serve.tls_cert.as_ref().zip(serve.tls_key.as_ref()) else {
        return Vec::new();
    };
    let mut found = match TlsFiles::new(certificate, key).check() {
        Ok(validity) => vec![judged(validity, looked)],
        Err(error) => {
            let remedy =
                "give the server's certificate, those that lead to the root behind it, and its key, as PEM";
            vec![Finding::bad(CHECK, error.to_string(), remedy)]
        }
    };
    // Root reads all; the hub's user may not.
    let owner = metadata(&looked.data).ok();
    if let Some(owner) = owner.filter(|owner| owner.uid() != rustix::process::geteuid().as_raw()) {
        let closed = [certificate, key].into_iter().find(|file| !may_read(owner.uid(), owner.gid(), file));
        found.extend(closed.map(|file| {
            let user = super::data::user(owner.uid());
            let words = format!("{} is not readable for {user}, whom the hub runs as", file.display());
            let remedy = format!(
                "have {user} read it by its owner or group, or hand it over as a credential (docs/INSTALL.md)"
            );
            Finding::doubt(CHECK, words, remedy)
        }));
    }
    found
}

/// Whether a user may read a file, by its mode alone.
fn may_read(uid: u32, gid: u32, file: &Path) -> bool {
    let Ok(found) = metadata(file) else { return true };
    let bit = match (found.uid() == uid, found.gid() == gid) {
        (true, _) => 0o400,
        (false, true) => 0o040,
        (false, false) => 0o004,
    };
    uid == 0 || found.mode() & bit != 0
}

fn judged(validity: Option<Validity>, looked: &Looked) -> Finding {
    let remedy = "renew it, and have whatever renews it put it there; the hub notices within a minute";
    let Some(Validity { not_before, not_after }) = validity else {
        let words = "it fits its key, and until when it counts cannot be read";
        return Finding::doubt(CHECK, words, "see `openssl x509 -noout -dates`");
    };
    if looked.now >= not_after {
        return Finding::bad(CHECK, format!("it has expired at {not_after}"), remedy);
    }
    if looked.now < not_before {
        let words = format!("it counts only from {not_before} on");
        return Finding::bad(CHECK, words, "set this machine's clock, or use another certificate until then");
    }
    if looked.now + SOON > not_after {
        return Finding::doubt(CHECK, format!("it expires soon, at {not_after}"), remedy);
    }
    Finding::good(CHECK, format!("it fits its key, and counts until {not_after}"))
}
