//! Where something stands in a file of TOML.

use std::ops::Range;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

/// A value, with the key that leads to it.
struct Entry<'t> {
    /// From the top: `hosts[0].commands.switch[1]`.
    path: String,
    /// Where its own key is; what is in an array has none.
    key: Option<Range<usize>>,
    value: &'t Spanned<DeValue<'t>>,
}

/// The line that a byte is in, from 1.
pub(super) fn line(text: &str, at: usize) -> usize {
    text.bytes().take(at).filter(|byte| *byte == b'\n').count() + 1
}

/// The whole key of what stands there.
pub(super) fn key(text: &str, at: &Range<usize>) -> Option<String> {
    // Of what is no TOML, as much as can be read.
    let (tree, _) = DeTable::parse_recoverable(text);
    let length = |entry: &Entry<'_>| {
        let span = entry.value.span();
        let is_key = entry.key.as_ref() == Some(at);
        if is_key { Some(0) } else { (span.start <= at.start && at.end <= span.end).then_some(span.len()) }
    };
    let around = entries(tree.get_ref()).into_iter().filter_map(|entry| Some((length(&entry)?, entry.path)));
    // Of those of one length the innermost comes last.
    around.rev().min_by_key(|(length, _)| *length).map(|(_, path)| path).or_else(|| plain(text, at.start))
}

/// What a line begins with, where that is plainly a key.
fn plain(text: &str, at: usize) -> Option<String> {
    let (key, _) = text.lines().nth(line(text, at) - 1)?.split_once('=')?;
    let key = key.trim();
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "_-.".contains(c);
    (!key.is_empty() && key.chars().all(is_plain)).then(|| key.to_owned())
}

/// The value that stands there.
pub(super) fn value<'t>(tree: &'t DeTable<'t>, at: &Range<usize>) -> Option<&'t Spanned<DeValue<'t>>> {
    entries(tree).into_iter().map(|entry| entry.value).find(|value| value.span() == *at)
}

/// All values, what holds others before them.
fn entries<'t>(tree: &'t DeTable<'t>) -> Vec<Entry<'t>> {
    let mut found = Vec::new();
    table(tree, "", &mut found);
    found
}

fn table<'t>(table: &'t DeTable<'t>, within: &str, found: &mut Vec<Entry<'t>>) {
    for (key, value) in table {
        let dot = if within.is_empty() { "" } else { "." };
        let path = format!("{within}{dot}{}", key.get_ref());
        add(Entry { path, key: Some(key.span()), value }, found);
    }
}

fn add<'t>(entry: Entry<'t>, found: &mut Vec<Entry<'t>>) {
    let (path, value) = (entry.path.clone(), entry.value.get_ref());
    found.push(entry);
    if let Some(inner) = value.as_table() {
        table(inner, &path, found);
    }
    for (index, value) in value.as_array().into_iter().flatten().enumerate() {
        add(Entry { path: format!("{path}[{index}]"), key: None, value }, found);
    }
}
