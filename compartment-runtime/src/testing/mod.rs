//! For tests of what stands around the core: the suites that every port implementation must pass, and ports that
//! tests steer (feature `testing`).

pub mod logs;
