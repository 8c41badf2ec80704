//! Nothing: the lessons of this package are `embed.rs`, `fold.rs` and `push.rs`, which need `compartment-core` alone.
