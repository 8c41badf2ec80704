//! What is outstanding, under the ids that hosts are told.

use compartment_core::{Fleet, HostId, OpId, Timestamp, Work, outstanding, outstanding_on};
use sha2::{Digest, Sha256};

use super::Inner;
use crate::LogId;

/// How many bytes of a hash make an id that nobody guesses.
const SECRET: usize = 10;

impl Inner {
    /// All that has to be done.
    pub(super) fn outstanding(&self, fleet: &Fleet, now: Timestamp) -> Vec<Work> {
        self.sealed(outstanding(fleet, now))
    }

    /// All that has to be done on one host.
    pub(super) fn outstanding_on(&self, fleet: &Fleet, host: &HostId, now: Timestamp) -> Vec<Work> {
        self.sealed(outstanding_on(fleet, host, now))
    }

    fn sealed(&self, mut work: Vec<Work>) -> Vec<Work> {
        for work in &mut work {
            match work {
                Work::AutomaticTest { op, host } => *op = op.sealed(&secret(&self.log_id, host, op)),
                Work::Request { .. } | Work::RecordExpiry { .. } => {}
            }
        }
        work
    }
}

/// The secret part of the id of an automatic test run. It follows from the log's own secret, so that a crash changes
/// nothing; and a log that was restored from a backup, where the same record may make the same tests due again, has
/// another secret (CORE-006, section 11).
fn secret(log: &LogId, host: &HostId, op: &OpId) -> String {
    let hash = Sha256::digest(format!("compartment automatic test {} {host} {op}", log.as_str()));
    base16ct::lower::encode_string(&hash[..SECRET])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_secret_is_the_same_for_a_log_and_another_for_all_else() {
        let (one, two) = (LogId::new("12345678").unwrap(), LogId::new("12345679").unwrap());
        let [gpc0, gpc1] = ["gpc0", "gpc1"].map(|name| HostId::new(name).unwrap());
        let [first, second] = [1, 2].map(|position| OpId::automatic_test(position, Timestamp::default()));
        let id = secret(&one, &gpc0, &first);
        assert_eq!((secret(&one, &gpc0, &first), id.len()), (id.clone(), 20));
        for other in [secret(&two, &gpc0, &first), secret(&one, &gpc1, &first), secret(&one, &gpc0, &second)]
        {
            assert_ne!(other, id);
        }
    }
}
