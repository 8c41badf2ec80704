//! How ssh is called: what everybody's own configuration does not say.

use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Duration;

use compartment_core::Invalid;

/// Where a host is, as it is given to ssh: a name that the user's ssh configuration knows, `user@host`, or
/// `ssh://user@host:port`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Destination(String);

impl Destination {
    /// Parses the destination.
    ///
    /// # Errors
    /// [`Invalid`]: it is empty or longer than 500 bytes, begins with a dash (ssh would take it for an option), holds
    /// spaces or control characters, or a password, which everybody could read in the list of processes.
    pub fn new(raw: &str) -> Result<Self, Invalid> {
        let user = raw.strip_prefix("ssh://").unwrap_or(raw).rsplit_once('@').map_or("", |(user, _)| user);
        let bad = |c: char| c.is_whitespace() || c.is_control();
        let host_dash = raw.rsplit_once('@').is_some_and(|(_, host)| host.starts_with('-'));
        if raw.is_empty()
            || raw.len() > 500
            || raw.starts_with('-')
            || host_dash
            || raw.contains(bad)
            || user.contains(':')
        {
            return Err(Invalid {
                what: "destination",
                expected: "what ssh is given: a name, user@host or ssh://user@host:port; without spaces, without a \
                           dash in front, without a password",
            });
        }
        Ok(Self(raw.to_owned()))
    }

    /// The destination as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// How ssh is called. All else is as the user's own ssh configuration says: keys, agents, jump hosts, known hosts,
/// and whether an unknown host key is accepted; where it does not say, it is not.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ssh {
    /// The file of configuration, in the place of the user's (`ssh -F`).
    pub config_file: Option<PathBuf>,
    /// Whether questions to a host share one connection. True unless said; otherwise each makes its own.
    pub share: bool,
    /// How long a connection may take to come about; 10 s unless said.
    pub connect_within: Duration,
    /// How long an answer may take; 30 s unless said.
    pub answer_within: Duration,
    /// How often a quiet connection is tried; 5 s unless said. It counts as broken after three without an answer.
    pub keep_alive: Duration,
    /// How many connections may be under way at once; 8 unless said, below sshd's own limit (`MaxStartups`) of 10, for
    /// those who come through one jump host.
    pub parallel: usize,
}

impl Default for Ssh {
    fn default() -> Self {
        Self {
            config_file: None,
            share: true,
            connect_within: Duration::from_secs(10),
            answer_within: Duration::from_secs(30),
            keep_alive: Duration::from_secs(5),
            parallel: 8,
        }
    }
}

impl Ssh {
    /// What every call has in common.
    ///
    /// Nobody is there to answer a question. A terminal, a forwarded agent or display, a port or a command that the
    /// user's configuration has for people is not for this: an operation outlives the connection, and with it the agent.
    pub(super) fn arguments(&self) -> Vec<OsString> {
        let mut arguments = Vec::new();
        if let Some(file) = &self.config_file {
            arguments.extend(["-F".into(), file.into()]);
        }
        let options = [
            "BatchMode=yes".to_owned(),
            "LogLevel=INFO".to_owned(),
            "RemoteCommand=none".to_owned(),
            "ClearAllForwardings=yes".to_owned(),
            format!("ConnectTimeout={}", self.connect_within.as_secs().max(1)),
            format!("ServerAliveInterval={}", self.keep_alive.as_secs().max(1)),
            "ServerAliveCountMax=3".to_owned(),
        ];
        arguments.extend(["-T", "-a", "-x"].map(OsString::from));
        for option in options {
            arguments.extend(["-o".into(), option.into()]);
        }
        arguments
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn destinations() {
        for raw in ["gpc0", "root@gpc0", "ssh://root@gpc0:2222", "fe80::1%eth0", "me@[::1]"] {
            assert_eq!(Destination::new(raw).unwrap().as_str(), raw);
        }
        for raw in
            ["", "-oProxyCommand=x", "me@-oProxyCommand=x", "a b", "a\n", "me:secret@gpc0", "ssh://me:s@gpc0"]
        {
            assert!(Destination::new(raw).is_err(), "{raw}");
        }
    }
}
