//! Hosts over ssh: what `compartment ssh check` finds, told as findings.

use std::path::Path;

use compartment_core::HostId;
use compartment_local::run::Stop;
use compartment_transport_ssh::host::Verdict as Fares;

use super::finding::{Finding, Report};
use super::{DoctorError, programs};
use crate::ssh::{FleetError, check_each};

/// What to do about what works in part, or not at all: what is found says it itself.
const AS_SAID: &str = "mend it on the host, or configure the host otherwise in the inventory (docs/SSH.md)";

pub(super) fn look(
    inventory: &Path,
    hosts: &[HostId],
    stop: &Stop,
    report: &mut Report<'_>,
) -> Result<(), DoctorError> {
    report.tell(programs::ssh(true, stop))?;
    let told = check_each(inventory, hosts, stop, &mut |host, found| {
        let of_host = |finding| Finding { host: Some(host.clone()), ..finding };
        match found {
            Ok(findings) => findings.iter().try_for_each(|found| {
                let (what, words) = (found.what.to_string(), found.words.as_str());
                report.tell(of_host(match found.verdict {
                    Fares::Works => Finding::good(&what, words),
                    Fares::Limited => Finding::doubt(&what, words, AS_SAID),
                    Fares::Missing => Finding::bad(&what, words, AS_SAID),
                }))
            }),
            Err(why) => {
                let remedy =
                    format!("connect by hand as the same user: `ssh {host}`, or the host's `destination`");
                report.tell(of_host(Finding::bad("connection", why, remedy)))
            }
        }
    });
    match told {
        Err(error) if error.is_interrupted() => Err(DoctorError::Interrupted),
        Err(error @ (FleetError::Inventory(_) | FleetError::NoHosts)) => {
            let remedy = "name the file of hosts with --inventory, and mend what it says (docs/SSH.md)";
            Ok(report.tell(Finding::bad("inventory", error.to_string(), remedy))?)
        }
        told => Ok(told?),
    }
}
