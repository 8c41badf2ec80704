//! Hosts with a real Nix behind a real sshd. Wants Debian's `nix-bin` and `openssh-server`.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a test that finds something else has failed")]

mod door;
mod drops;
mod fleet;
mod itself;
mod nix;
mod repository;
mod rollbacks;
mod week;
mod world;
