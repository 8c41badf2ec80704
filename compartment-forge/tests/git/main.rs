//! The git forge against real git, over files and over HTTP.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a test that finds something else has failed")]

mod conformance;
mod history;
mod orders;
mod repository;
mod secrets;
mod surroundings;
mod web;
mod world;
