//! What stands around the records, and is under none of their hashes: the tables, what the log says of itself, its length.

use std::collections::BTreeMap;

use compartment_core::{Timestamp, ndjson};
use rusqlite::{Connection, OptionalExtension};

use crate::error::ReadError;
use crate::files;
use crate::finding::Finding;
use crate::reader::Reader;
use crate::schema;

/// What a database consists of: by kind and name, how it was made.
type Schema = BTreeMap<(String, String), String>;

/// Holds what is around the records against what is written there.
pub(crate) fn check(reader: &Reader) -> Result<(), ReadError> {
    let failed = |error: rusqlite::Error| ReadError::Storage(format!("{}: {error}", reader.path.display()));
    let findings = [
        schema_of(reader).map_err(failed)?,
        meta(reader).map_err(failed)?,
        head_time(reader).map_err(failed)?,
        appended(reader).map_err(failed)?,
    ];
    match findings.into_iter().flatten().next() {
        Some(finding) => Err(reader.damaged(finding)),
        None => Ok(()),
    }
}

/// A table that is not the log's, or a trigger, and one that is missing.
fn schema_of(reader: &Reader) -> rusqlite::Result<Option<Finding>> {
    // A newer format may have more.
    if reader.format() > schema::FORMAT {
        return Ok(None);
    }
    let model = Connection::open_in_memory()?;
    model.execute_batch(schema::TABLES)?;
    let (mut wanted, found) = (listed(&model)?, listed(&reader.connection)?);
    for ((kind, name), made) in found {
        let how = match wanted.remove(&(kind.clone(), name.clone())) {
            None => "added",
            Some(wanted) if wanted != made => "changed",
            Some(_) => continue,
        };
        return Ok(Some(Finding::Schema { kind, name, how }));
    }
    let missing = wanted.into_keys().next();
    Ok(missing.map(|(kind, name)| Finding::Schema { kind, name, how: "removed" }))
}

fn listed(connection: &Connection) -> rusqlite::Result<Schema> {
    let mut select = connection.prepare("SELECT type, name, coalesce(sql, '') FROM sqlite_schema")?;
    let rows = select.query_map([], |row| {
        let made: String = row.get(2)?;
        Ok(((row.get(0)?, row.get(1)?), without_comments(&made)))
    })?;
    rows.collect()
}

/// Comments and blanks may be others in another version.
fn without_comments(made: &str) -> String {
    let lines = made.lines().map(|line| line.split_once("--").map_or(line, |(before, _)| before));
    lines.flat_map(str::split_whitespace).collect::<Vec<_>>().join(" ")
}

/// What the log says of itself.
fn meta(reader: &Reader) -> rusqlite::Result<Option<Finding>> {
    let mut select = reader.connection.prepare("SELECT key, value FROM meta")?;
    let rows = select.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?;
    let rows: BTreeMap<String, String> = rows.collect::<rusqlite::Result<_>>()?;
    let changed =
        |key: &str, cause: &str| Some(Finding::Meta { key: key.to_owned(), cause: cause.to_owned() });
    let told = |key: &str| rows.get(key).map_or("", String::as_str);
    let newer = reader.format() > schema::FORMAT;
    if told("format") != reader.format().to_string() && !newer {
        return Ok(changed("format", "it is not the format of the file"));
    }
    if told("created").parse::<Timestamp>().is_err() {
        return Ok(changed("created", "it is no time"));
    }
    // Logs of before have no such row.
    if rows.get("hash").is_some_and(|hash| *hash != schema::meta_hash(told("created"), told("log"))) {
        return Ok(changed("hash", "it is not that of `created` and `log`"));
    }
    let known = ["format", "created", "log", "hash"];
    let other = rows.keys().find(|key| !known.contains(&key.as_str()) && !newer);
    Ok(other.and_then(|key| changed(key, "no log has such a row")))
}

/// The time of the last record, which is also in `head`.
fn head_time(reader: &Reader) -> rusqlite::Result<Option<Finding>> {
    let Ok((_, head)) = reader.head else { return Ok(None) };
    let last = "SELECT line FROM record ORDER BY position DESC LIMIT 1";
    let line: Option<String> = reader.connection.query_row(last, [], |row| row.get(0)).optional()?;
    // One that this program does not understand says no time.
    let at = line.map_or(Some(0), |line| Some(ndjson::decode(line.as_bytes()).ok()?.at?.as_millis()));
    Ok(at.filter(|at| *at != head).map(|last| Finding::HeadTime { head, last }))
}

/// Bytes behind the last page.
fn appended(reader: &Reader) -> rusqlite::Result<Option<Finding>> {
    let pages: i64 = reader.connection.pragma_query_value(None, "page_count", |row| row.get(0))?;
    let pages = u64::try_from(pages).unwrap_or_default();
    let length = files::length(&reader.path);
    let bytes = length.saturating_sub(pages.saturating_mul(schema::PAGE_SIZE));
    Ok((bytes > 0).then_some(Finding::Appended { bytes }))
}
