//! A host that runs nothing but sshd: what is sent to its shell, and what its answers mean. No socket, no clock.
//!
//! ```text
//!   Site ──▶ script ──▶ `sh -s` on the host ──▶ output ──▶ read_… ──▶ HostLook, Begun, Asked, …
//! ```
//!
//! Each question is a pair: a function that writes a script for the host's [`SHELL`], to be sent over its standard
//! input, and one that reads what the shell printed on its standard output. Both take the same [`Nonce`].
//!
//! | script | answer | |
//! |---|---|---|
//! | [`look`] | [`read_look`] | facts, what runs, what has ended, what was printed: one round trip |
//! | [`begin`] | [`read_begin`] | begins an [`Order`], detached |
//! | [`stop`] | [`read_stop`] | asks an operation to stop |
//! | [`acknowledge`] | [`read_acknowledge`] | removes what has ended, once it is reported durably |
//! | [`generations`] | [`read_generations`] | the generations of the profile |
//! | [`check`] | [`read_check`] | what works on the host, and what is missing |
//!
//! What ended is evidence, [`Ending`](compartment_local::operation::Ending): `compartment_local::operation::result`
//! makes a report of it, and `started` one of a [`Plan`](compartment_local::operation::Plan).
//!
//! # What holds
//!
//! - Nothing is installed. Scripts are POSIX sh; values are in them as words that [`quote`] made, and nowhere else.
//! - What a host lacks a tool for is absent, what is there and cannot be read is unreadable: never a guess.
//! - Each line of an answer begins with the nonce, the last one says that it is the last. Banners, noise and an answer
//!   that is cut off are told apart from facts ([`BadAnswer`]).
//! - An operation is a process of its own, in a folder of its own. It outlives the connection; its result waits in
//!   the folder until it is acknowledged. An id that was begun once is not begun again.
//! - One operation a host: the lock names its holder, and is void when that holder is gone, also after a reboot.
//! - What has ended is told to its [`Owner`] alone, in the order in which it ended.
//! - Who was killed claims nothing: such an operation is *gone*, without a result.
//!
//! # What does not
//!
//! - A shell tells an exit code above 128 and a signal apart by nothing but the number: 129 to 192 count as signals.
//! - Limits are whole seconds, and a stop is noticed within one.
//! - A program that leaves its process group and clears its environment (such as one that `sudo` runs) is not ended
//!   by a stop; nor is what is handed on to a service manager.

mod answer;
mod frame;
mod quote;
mod script;
mod site;
mod word;

pub use answer::{
    Acknowledged, Asked, Begun, Ended, Finding, Generation, Gone, HostLook, Printed, Running, Verdict,
    read_acknowledge, read_begin, read_check, read_generations, read_look, read_stop,
};
pub use frame::{ANSWER_LIMIT, BadAnswer, Nonce, Part, part};
pub use quote::{HasNul, quote};
pub use script::{Check, GO, Order, SHELL, Tail, Tests, acknowledge, begin, check, generations, look, stop};
pub use site::{HostPath, Owner, Site};
