//! Speed and memory, side by side with what one would write first. See `README.md`.

pub mod baseline;
pub mod http;
pub mod measure;
pub mod sqlite;
pub mod workload;
