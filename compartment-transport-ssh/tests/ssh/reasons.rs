//! Why a host cannot be reached, each with what to do.

use compartment_transport_ssh::{Destination, Host, Reach, Reason, Ssh, Unreachable};

use crate::machine::{Machine, ssh, transport};
use crate::sshd::Sshd;

/// Asks one host, by a destination, and tells why not.
async fn refused(ssh: Ssh, destination: &str, host: Host) -> Unreachable {
    let id = host.id.clone();
    let host = Host { destination: Destination::new(destination).unwrap(), ..host };
    let transport = transport(ssh, [host]);
    let why = transport.check(&id).await.unwrap_err();
    assert_eq!(transport.reach(&id), Some(Reach::Unreachable(why.clone())));
    assert_eq!(transport.unreachable()[&id], why);
    why
}

#[tokio::test]
async fn each_reason_is_told() {
    let (mut sshd, machine) = (Sshd::start(), Machine::new("gpc0"));
    let config = sshd.ssh_config(
        "Host nowhere\n  HostName nothing.invalid\nHost closed\n  HostName 127.0.0.1\n  Port 9\n\
         Host behind-closed\n  HostName 127.0.0.1\n  ProxyJump closed\n\
         Host gpc-behind-nobody\n  ProxyCommand false\n\
         Host behind-gpc\n  HostName 127.0.0.1\n  Port 9\n  ProxyJump gpc0",
    );
    for share in [true, false] {
        let ask = |destination| refused(Ssh { share, ..ssh(&config) }, destination, machine.host());
        sshd.know("host_key");
        assert_eq!(ask("closed").await.reason, Reason::Refused);
        assert_eq!(ask("nowhere").await.reason, Reason::UnknownName);
        assert_eq!(ask("behind-closed").await.reason, Reason::JumpHost(Box::new(Reason::Refused)));
        assert_eq!(ask("behind-gpc").await.reason, Reason::Refused, "the jump host is well");
        let nobody = ask("gpc-behind-nobody").await;
        assert!(matches!(nobody.reason, Reason::JumpHost(_)), "{nobody:?}");
        sshd.know("other_key");
        let why = ask("gpc0").await;
        let Reason::HostKeyChanged { fingerprint, remedy } = &why.reason else { panic!("{why:?}") };
        assert!(fingerprint.as_str().starts_with("SHA256:"), "{why}");
        let forget = format!("-R \"[127.0.0.1]:{}\"", sshd.port);
        assert!(remedy.as_str().starts_with("ssh-keygen -f ") && remedy.as_str().ends_with(&forget), "{why}");
        std::fs::write(sshd.path("known_hosts"), "").unwrap();
        assert_eq!(ask("gpc0").await.reason, Reason::HostKeyUnknown);
        assert_eq!(std::fs::read(sshd.path("known_hosts")).unwrap(), b"", "nobody accepts it by himself");
        sshd.know("host_key");
        std::fs::copy(sshd.path("other_key.pub"), sshd.path("authorized")).unwrap();
        assert_eq!(ask("gpc0").await.reason, Reason::AuthFailed);
        std::fs::copy(sshd.path("user_key.pub"), sshd.path("authorized")).unwrap();
        sshd.hang(true);
        assert_eq!(ask("gpc0").await.reason, Reason::TimedOut);
        sshd.hang(false);
        sshd.down();
        assert_eq!(ask("gpc0").await.reason, Reason::Refused);
        sshd.up();
    }
}

#[tokio::test]
async fn the_users_own_configuration_may_accept_a_key() {
    let (sshd, machine) = (Sshd::start(), Machine::new("gpc0"));
    let config = sshd.ssh_config("Host *\n  StrictHostKeyChecking accept-new");
    std::fs::write(sshd.path("known_hosts"), "").unwrap();
    let transport = transport(ssh(&config), [machine.host()]);
    transport.check(&machine.id()).await.unwrap();
    assert_eq!(transport.reach(&machine.id()), Some(Reach::Answers));
    assert!(std::fs::read_to_string(sshd.path("known_hosts")).unwrap().contains("ssh-ed25519"));
    transport.hang_up().await;
}

#[tokio::test]
async fn a_shell_that_does_something_else_is_told() {
    let machine = Machine::new("gpc0");
    for (force, words) in [
        (
            "echo 'This account is currently not available.'; exit 1",
            "This account is currently not available.",
        ),
        ("exit 255", "did not answer"),
        ("kill -KILL $$", "did not answer"),
        ("cat >/dev/null; echo no >&2; exit 3", "no"),
        ("yes", "more than"),
    ] {
        let sshd = Sshd::with(&format!("ForceCommand {force}"));
        let why = refused(ssh(&sshd.ssh_config("")), "gpc0", machine.host()).await;
        assert_eq!(why.reason, Reason::NoAnswer, "{force}: {why}");
        assert!(why.to_string().contains(words), "{force}: {why}");
    }
    let sshd = Sshd::with("ForceCommand exec sleep 30");
    let why = refused(ssh(&sshd.ssh_config("")), "gpc0", machine.host()).await;
    assert_eq!(why.reason, Reason::TimedOut, "{why}");
}
