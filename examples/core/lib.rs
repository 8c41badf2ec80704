//! Nothing: the lessons of this package are `embed.rs` and `push.rs`, which need `compartment-core` alone.
