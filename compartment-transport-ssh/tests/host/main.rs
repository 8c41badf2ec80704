//! Scripts in real shells, on folders that are laid out like machines.

mod common;
mod lives;
mod look;
mod quoting;
mod run;
mod small;
