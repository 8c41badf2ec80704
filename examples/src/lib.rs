//! What the example programs share: looking at a real machine and a real repository, and a small fleet
//! made of real git repositories to live through a weekly update with.
//!
//! Nothing here is needed to use the library; all of it may be copied.

pub mod clock;
pub mod demo;
pub mod git;
pub mod observe;
pub mod run;
