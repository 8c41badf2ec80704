//! Numbers of each host for Prometheus, where somebody asks for them.
//!
//! A cell's status and a host's presence are sets of states: a sample for each state there is, 1 for the one that holds and 0
//! for the others. So a state that ends is seen to end, and a query names a state and no number.

use std::fmt::{self, Write};
use std::iter::once;
use std::sync::Arc;

use compartment_core::matrix::Presence;
use compartment_core::{Compartment, Fleet, HostId, ReadOptions, Status, Timestamp};

/// How many hosts a piece of the answer tells of.
const PIECE: usize = 128;

/// One host at a moment: little enough to keep all of them until the answer was taken.
pub(super) struct HostNumbers {
    host: HostId,
    statuses: [Status; 5],
    presence: Presence,
    drift: bool,
    heard: Option<Timestamp>,
}

/// What is told of each host. All samples of a family stand together, as the format wants it.
#[derive(Clone, Copy)]
enum Family {
    Cell,
    Presence,
    Drift,
    LastHeard,
}

impl HostNumbers {
    /// Of all hosts at `now`, by name.
    pub(super) fn of_all(fleet: &Fleet, now: Timestamp) -> Vec<Self> {
        let options = ReadOptions::default();
        let of = |index| {
            let (host, cells) = (fleet.at_index(index), fleet.cells(index, now));
            Self {
                host: host.id().clone(),
                statuses: std::array::from_fn(|n| cells.status(Compartment::ALL[n])),
                presence: Presence::of(host.last_heard(), now, &options),
                drift: fleet.drifts(index),
                heard: host.last_heard(),
            }
        };
        fleet.sorted().into_iter().map(of).collect()
    }

    /// As text, piece by piece: no more than a piece is ever in memory.
    pub(super) fn text(hosts: Vec<Self>) -> impl Iterator<Item = String> + Send + 'static {
        let hosts: Arc<[Self]> = hosts.into();
        let families = [Family::Cell, Family::Presence, Family::Drift, Family::LastHeard];
        families.into_iter().flat_map(move |family| {
            let hosts = Arc::clone(&hosts);
            let pieces = (0..hosts.len().div_ceil(PIECE)).map(move |piece| {
                let mut text = String::new();
                for host in hosts.iter().skip(piece * PIECE).take(PIECE) {
                    // Writing to a text never fails.
                    let _written = family.write(host, &mut text);
                }
                text
            });
            once(family.head().to_owned()).chain(pieces)
        })
    }
}

impl Family {
    const fn head(self) -> &'static str {
        match self {
            Self::Cell => {
                "# HELP compartment_host_cell The status of a cell of a host: 1 for the one that it has.\n\
                 # TYPE compartment_host_cell gauge\n"
            }
            Self::Presence => {
                "# HELP compartment_host_presence Whether a host is there: 1 for what holds.\n\
                 # TYPE compartment_host_presence gauge\n"
            }
            Self::Drift => {
                "# HELP compartment_host_drift 1 where a host runs another commit than most of its channel.\n\
                 # TYPE compartment_host_drift gauge\n"
            }
            Self::LastHeard => {
                "# HELP compartment_host_last_heard_timestamp_seconds When a host was last heard; absent for one that never was.\n\
                 # TYPE compartment_host_last_heard_timestamp_seconds gauge\n\
                 # UNIT compartment_host_last_heard_timestamp_seconds seconds\n"
            }
        }
    }

    fn write(self, of: &HostNumbers, to: &mut String) -> fmt::Result {
        let host = Label(of.host.as_str());
        match self {
            Self::Cell => {
                for (cell, is) in Compartment::ALL.iter().zip(of.statuses) {
                    for status in Status::ALL {
                        let value = u8::from(is == *status);
                        let (cell, status) = (cell.as_str(), status.as_str());
                        writeln!(
                            to,
                            "compartment_host_cell{{host=\"{host}\",cell=\"{cell}\",status=\"{status}\"}} {value}"
                        )?;
                    }
                }
                Ok(())
            }
            Self::Presence => {
                for presence in Presence::ALL {
                    let (value, presence) = (u8::from(of.presence == *presence), presence.as_str());
                    writeln!(
                        to,
                        "compartment_host_presence{{host=\"{host}\",presence=\"{presence}\"}} {value}"
                    )?;
                }
                Ok(())
            }
            Self::Drift => {
                writeln!(to, "compartment_host_drift{{host=\"{host}\"}} {}", u8::from(of.drift))
            }
            Self::LastHeard => {
                let Some(millis) = of.heard.map(Timestamp::as_millis) else { return Ok(()) };
                let (seconds, rest) = (millis / 1000, millis % 1000);
                writeln!(
                    to,
                    "compartment_host_last_heard_timestamp_seconds{{host=\"{host}\"}} {seconds}.{rest:03}"
                )
            }
        }
    }
}

/// The value of a label: what would end it is escaped. Names of hosts hold nothing of that, and are not relied on for it.
struct Label<'a>(&'a str);

impl fmt::Display for Label<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for c in self.0.chars() {
            match c {
                '\\' => f.write_str("\\\\")?,
                '"' => f.write_str("\\\"")?,
                '\n' => f.write_str("\\n")?,
                _ => f.write_char(c)?,
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_value_ends_its_label() {
        assert_eq!(Label("gpc0").to_string(), "gpc0");
        assert_eq!(Label("a\"} 1\nb\\").to_string(), r#"a\"} 1\nb\\"#);
    }

    #[test]
    fn many_hosts_come_in_pieces_and_nothing_twice() {
        let host = |n: usize| HostNumbers {
            host: HostId::new(&format!("h{n}")).expect("a name"),
            statuses: [Status::Ok; 5],
            presence: Presence::Online,
            drift: n == 7,
            heard: Timestamp::from_millis(1_767_607_200_007).ok(),
        };
        let count = 3 * PIECE + 1;
        let pieces: Vec<_> = HostNumbers::text((0..count).map(host).collect()).collect();
        assert_eq!(pieces.len(), 4 * (1 + 4));
        let most = PIECE * 25 * 80;
        assert!(pieces.iter().all(|piece| piece.len() < most), "no piece is large");
        let text = pieces.concat();
        let samples: std::collections::BTreeSet<_> =
            text.lines().filter(|line| !line.starts_with('#')).collect();
        assert_eq!(samples.len(), count * (25 + 3 + 1 + 1));
        assert!(samples.contains("compartment_host_drift{host=\"h7\"} 1"));
        assert!(
            samples.contains("compartment_host_last_heard_timestamp_seconds{host=\"h0\"} 1767607200.007")
        );
    }
}
