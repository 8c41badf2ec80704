//! What the example programs share: a small fleet made of real git repositories and processes to live through a weekly
//! update with, and showing a matrix in a terminal.
//!
//! Nothing here is needed to use the library; all of it may be copied.

pub mod agent;
pub mod background;
pub mod clock;
pub mod demo;
pub mod fold;
pub mod hub;
pub mod matrix;
pub mod progress;
pub mod show;
pub mod ssh_fleet;
