//! Where the output of an operation lies.

use std::fmt;
use std::path::{Path, PathBuf};

use compartment_core::{HostId, OpId};
use sha2::{Digest, Sha256};

/// How many bytes of a hash name a file.
const BYTES: usize = 16;

/// The name of a folder or file: 32 hex digits. Ids may be longer than a file's name may be, and differ in nothing but the case
/// of a letter, which some file systems do not tell apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Name([u8; BYTES]);

impl Name {
    fn of(what: &str, id: &str) -> Self {
        let hash = Sha256::digest(format!("compartment output {what} {id}"));
        let mut name = [0; BYTES];
        for (to, from) in name.iter_mut().zip(hash.iter()) {
            *to = *from;
        }
        Self(name)
    }

    pub(crate) fn of_host(host: &HostId) -> Self {
        Self::of("host", host.as_str())
    }

    pub(crate) fn of_op(op: &OpId) -> Self {
        Self::of("op", op.as_str())
    }

    /// Reads a name. Nothing where it is another one than this gives.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let mut name = [0; BYTES];
        let all = base16ct::lower::decode(text, &mut name).ok()?.len() == BYTES;
        all.then_some(Self(name))
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&base16ct::lower::encode_string(&self.0))
    }
}

/// An operation of a host.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Place {
    pub(crate) host: Name,
    pub(crate) op: Name,
}

impl Place {
    pub(crate) fn of(host: &HostId, op: &OpId) -> Self {
        Self { host: Name::of_host(host), op: Name::of_op(op) }
    }

    /// The folder of its host.
    pub(crate) fn folder(self, top: &Path) -> PathBuf {
        top.join(self.host.to_string())
    }

    /// Its file.
    pub(crate) fn file(self, top: &Path) -> PathBuf {
        self.folder(top).join(self.op.to_string())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_hex_digits_and_nothing_else() {
        let [a, b] = ["gpc0", "GPC0"].map(|id| Name::of_host(&HostId::new(id).expect("a name")));
        assert_ne!(a, b);
        assert_ne!(a.to_string().to_lowercase(), b.to_string().to_lowercase());
        assert_eq!(Name::parse(&a.to_string()), Some(a));
        assert_eq!(a.to_string().len(), 32);
        for other in ["", "..", "0123", &a.to_string().to_uppercase(), &format!("{a}.new"), &"ä".repeat(16)]
        {
            assert_eq!(Name::parse(other), None, "{other}");
        }
    }
}
