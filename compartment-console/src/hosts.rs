//! Which hosts are meant: by name, by what they are, or all.

use std::collections::BTreeSet;
use std::num::NonZeroUsize;

use clap::Args;
use compartment_core::{HostId, Matrix, Row, Tag};

use super::{Choice, MatrixError};

/// Hosts by what they are, and not by their names.
#[derive(Clone, Debug, Default, Args)]
pub struct By {
    /// Every host that the hub knows.
    #[arg(long, conflicts_with = "tags")]
    pub all: bool,

    /// Every host with this tag; may be given again, for those with another one, too.
    #[arg(long = "tag", value_name = "TAG")]
    pub tags: Vec<Tag>,

    /// Every host that is so: a colour (`red`, or of one cell `lock=yellow`), `drift`, `offline`, `online`, `channel=NAME`, or a
    /// tag. Given again, those that are all of it.
    #[arg(long = "on", value_name = "WHAT")]
    pub choices: Vec<Choice>,
}

impl By {
    fn is_said(&self) -> bool {
        self.all || !self.tags.is_empty() || !self.choices.is_empty()
    }
}

/// On which hosts.
#[derive(Clone, Debug, Args)]
pub struct On {
    /// The hosts.
    #[arg(value_name = "HOST", required_unless_present_any = ["all", "tags", "choices"], conflicts_with_all = ["all", "tags", "choices"])]
    pub hosts: Vec<HostId>,

    /// Hosts by what they are.
    #[command(flatten)]
    pub by: By,

    /// On so many hosts at a time.
    #[arg(long, value_name = "N", default_value = "4")]
    pub limit: NonZeroUsize,

    /// With several hosts, also those that are offline: they have until the request lapses, five minutes, as one host
    /// alone always has. Without this, one that cannot be reached has a minute.
    #[arg(long)]
    pub offline_too: bool,

    /// Do not ask, where it would.
    #[arg(long)]
    pub yes: bool,
}

impl On {
    /// Whether the hosts are named one by one, and not by what they are.
    #[must_use]
    pub fn are_named(&self) -> bool {
        !self.hosts.is_empty()
    }

    /// Whether a host is meant.
    #[must_use]
    pub fn means(&self, row: &Row) -> bool {
        is_meant(row, &self.hosts, &self.by.tags, &self.by.choices)
    }

    /// Refuses what the hub does not know: it may be misspelt.
    ///
    /// # Errors
    /// [`MatrixError::NoHost`], [`MatrixError::NoTag`], [`MatrixError::NoChannel`].
    pub(super) fn check(&self, matrix: &Matrix) -> Result<(), MatrixError> {
        are_all_known(matrix, &self.hosts, &self.by.tags, &self.by.choices)
    }
}

/// What is to be looked at.
#[derive(Clone, Debug, Args)]
pub struct Looked {
    /// These hosts; the repository where none is named.
    #[arg(value_name = "HOST", conflicts_with_all = ["all", "tags", "choices"])]
    pub hosts: Vec<HostId>,

    /// Hosts by what they are.
    #[command(flatten)]
    pub by: By,

    /// On so many hosts at a time.
    #[arg(long, value_name = "N", default_value = "4")]
    pub limit: NonZeroUsize,
}

impl Looked {
    /// The hosts. `None` where the repository is meant.
    #[must_use]
    pub fn on(&self) -> Option<On> {
        let Self { hosts, by, limit } = self.clone();
        let on = On { hosts, by, limit, offline_too: false, yes: false };
        (on.are_named() || on.by.is_said()).then_some(on)
    }
}

/// Which rows are shown.
#[derive(Clone, Debug, Default, Args)]
pub struct Shown {
    /// Show this host only; may be given again. The fleet's summary stays whole.
    #[arg(long = "host", value_name = "NAME")]
    pub hosts: Vec<HostId>,

    /// Show hosts with this tag only; may be given again.
    #[arg(long = "tag", value_name = "TAG")]
    pub tags: Vec<Tag>,

    /// Show hosts that are so only: a colour (`red`, or of one cell `lock=yellow`), `drift`, `offline`, `online`, `channel=NAME`, or a
    /// tag. Given again, those that are all of it.
    #[arg(long = "on", value_name = "WHAT")]
    pub choices: Vec<Choice>,
}

impl Shown {
    /// Whether a row is shown.
    #[must_use]
    pub fn shows(&self, row: &Row) -> bool {
        is_meant(row, &self.hosts, &self.tags, &self.choices)
    }

    /// The rows that are shown.
    pub(super) fn rows(&self, matrix: &Matrix) -> Vec<Row> {
        matrix.hosts.iter().filter(|row| self.shows(row)).cloned().collect()
    }

    /// Refuses what the hub does not know: it may be misspelt.
    ///
    /// # Errors
    /// [`MatrixError::NoHost`], [`MatrixError::NoTag`], [`MatrixError::NoChannel`].
    pub(super) fn check(&self, matrix: &Matrix) -> Result<(), MatrixError> {
        are_all_known(matrix, &self.hosts, &self.tags, &self.choices)
    }
}

/// Whether a host is named or has one of the tags, where there are any; and is all of what was chosen.
fn is_meant(row: &Row, hosts: &[HostId], tags: &[Tag], choices: &[Choice]) -> bool {
    let all = hosts.is_empty() && tags.is_empty();
    let said = all || hosts.contains(&row.host) || tags.iter().any(|tag| row.tags.contains(tag));
    said && choices.iter().all(|choice| choice.fits(row))
}

fn are_all_known(
    matrix: &Matrix,
    hosts: &[HostId],
    tags: &[Tag],
    choices: &[Choice],
) -> Result<(), MatrixError> {
    are_known(matrix, hosts)?;
    are_used(matrix, tags)?;
    choices.iter().try_for_each(|choice| choice.check(matrix))
}

/// Whether the hub knows all of these.
///
/// # Errors
/// [`MatrixError::NoHost`].
pub(super) fn are_known(matrix: &Matrix, hosts: &[HostId]) -> Result<(), MatrixError> {
    match hosts.iter().find(|host| matrix.hosts.iter().all(|row| row.host != **host)) {
        Some(unknown) => {
            let known = listed(&matrix.hosts.iter().map(|row| row.host.as_str()).collect::<Vec<_>>());
            Err(MatrixError::NoHost { host: unknown.clone(), known })
        }
        None => Ok(()),
    }
}

/// Whether some host has each of these.
///
/// # Errors
/// [`MatrixError::NoTag`].
pub(super) fn are_used(matrix: &Matrix, tags: &[Tag]) -> Result<(), MatrixError> {
    match tags.iter().find(|tag| matrix.hosts.iter().all(|row| !row.tags.contains(tag))) {
        Some(unused) => {
            let all: BTreeSet<_> = matrix.hosts.iter().flat_map(|row| row.tags.iter()).collect();
            let known = listed(&all.into_iter().map(Tag::as_str).collect::<Vec<_>>());
            Err(MatrixError::NoTag { tag: unused.clone(), known })
        }
        None => Ok(()),
    }
}

/// Which names the hub knows, in words.
pub(super) fn listed(names: &[&str]) -> String {
    match names.len() {
        0 => "it knows none".to_owned(),
        _ => format!("it knows {}", named(names)),
    }
}

/// Names, however many there are.
pub(super) fn named(names: &[&str]) -> String {
    const NAMED: usize = 10;
    match names.len() {
        0..=NAMED => names.join(", "),
        more => format!("{} and {} more", names[..NAMED].join(", "), more - NAMED),
    }
}
