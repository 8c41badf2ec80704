//! CORE-006 section 4, rule by rule.

mod agent;
mod git;
mod lock;
mod system;
mod tests;
