//! Files, as all parts that keep some want them: secrets that only their owner may change, files and folders that are
//! nobody else's, files that are replaced as a whole or not at all, and whether a file is still the one that was read.
//!
//! It stands below the ports and below what looks at a machine: neither of them knows the other.

#![forbid(unsafe_code)]

#[cfg(unix)]
mod identity;
mod private;
mod replace;

#[cfg(unix)]
pub use identity::FileIdentity;
pub use private::{
    Owner, SecretError, check_trusted, make_private_folder, make_trusted_folder, private_file, read_secret,
    read_token, token, write_private,
};
pub use replace::{replace, sync_folder};
