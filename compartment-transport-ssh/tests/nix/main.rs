//! Hosts with a real Nix behind a real sshd. Wants Debian's `nix-bin` and `openssh-server`; machines with
//! networks of their own want root, `iproute2` and `iptables`, and are skipped without.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a test that finds something else has failed")]

mod drops;
mod fleet;
mod itself;
mod links;
mod losses;
mod network;
mod nix;
mod reboots;
mod repository;
mod rollbacks;
#[path = "../common/sshd.rs"]
#[expect(dead_code, reason = "others need more of it")]
mod sshd;
mod week;
mod world;
