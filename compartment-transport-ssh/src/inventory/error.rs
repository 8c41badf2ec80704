//! What is wrong with an inventory, and where.

use std::fmt;
use std::ops::Range;
use std::path::{Path, PathBuf};

use compartment_core::{HostId, Text};

/// How much of a line and of a key is said, in bytes: enough to find it, and not a page of a file that is none.
const SAID: usize = 80;

/// Why an inventory is none: the file, the line as it stands there, and what to write.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InventoryError {
    file: Option<PathBuf>,
    /// Its number, from 1, and what it says.
    line: Option<(usize, Text)>,
    key: Option<Text>,
    problem: Text,
}

impl std::error::Error for InventoryError {}

impl fmt::Display for InventoryError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let file = self.file.as_deref().unwrap_or(Path::new("inventory"));
        write!(f, "{}", file.display())?;
        if let Some((number, says)) = &self.line {
            write!(f, ":{number}: `{says}`")?;
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

    /// Where it is in the text.
    pub(super) fn at(self, text: &str, span: Range<usize>) -> Self {
        let (number, line) = line(text, span.start);
        // A password that somebody wrote into an address goes nowhere.
        let line = if line.contains('@') { line.split('=').next().unwrap_or_default() } else { line };
        Self { line: Some((number, Text::cut(line.trim(), SAID))), ..self }
    }
}

/// The line that a byte is in, and its number.
pub(super) fn line(text: &str, at: usize) -> (usize, &str) {
    let bytes = text.as_bytes();
    let at = at.min(bytes.len());
    let start = bytes[..at].iter().rposition(|byte| *byte == b'\n').map_or(0, |before| before + 1);
    let number = bytes[..start].iter().filter(|byte| **byte == b'\n').count() + 1;
    (number, text[start..].lines().next().unwrap_or_default())
}
