//! For tests of what stands around the core: the suites that every port implementation must pass, and ports that
//! tests steer (feature `testing`).

pub mod clock;
pub mod faults;
pub mod forge;
pub mod forges;
pub mod hosts;
pub mod logs;
pub mod notify;
pub mod outputs;
pub mod transports;
