//! What is wrong with an inventory, and where.

use std::fmt;
use std::ops::Range;
use std::path::{Path, PathBuf};

use compartment_core::{HostId, Text};

use super::place::{key, line};

/// How much of a key is said, in bytes: enough to find it, and not a page of a file that is none.
const SAID: usize = 80;

/// Why an inventory is none: the file, the line, the key, and what to write. Not what stands there: it may be a secret.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InventoryError {
    file: Option<PathBuf>,
    /// Its number, from 1.
    line: Option<usize>,
    key: Option<Text>,
    problem: Text,
}

impl std::error::Error for InventoryError {}

impl fmt::Display for InventoryError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let file = self.file.as_deref().unwrap_or(Path::new("inventory"));
        write!(f, "{}", file.display())?;
        if let Some(line) = self.line {
            write!(f, ":{line}")?;
        }
        match &self.key {
            Some(key) => write!(f, ": {key}: {}", self.problem),
            None => write!(f, ": {}", self.problem),
        }
    }
}

impl InventoryError {
    pub(super) fn new(problem: &str) -> Self {
        Self { file: None, line: None, key: None, problem: Text::new(problem) }
    }

    pub(super) fn twice(host: &HostId) -> Self {
        Self::new(&format!("there are two hosts of the name {host}; a host stands there once"))
    }

    pub(super) fn of(self, key: &str) -> Self {
        Self { key: Some(Text::cut(key, SAID)), ..self }
    }

    pub(super) fn in_file(self, file: &Path) -> Self {
        Self { file: Some(file.to_owned()), ..self }
    }

    /// What TOML or serde says, without the text that stands there.
    pub(super) fn read(message: &str) -> Self {
        let said = ["invalid type: string", "invalid value: string"].into_iter().find_map(|what| {
            let (_, expected) = message.strip_prefix(what)?.rsplit_once("\", expected ")?;
            Some(format!("{what}, expected {expected}"))
        });
        Self::new(said.as_deref().unwrap_or(message))
    }

    /// Where it is in the text: the line, and the key that stands there.
    pub(super) fn at(self, text: &str, span: Range<usize>) -> Self {
        let key = key(text, &span).map(|key| Text::cut(&key, SAID)).or(self.key);
        Self { line: Some(line(text, span.start)), key, ..self }
    }
}
