//! Which hosts are meant: by name, by tag, or all.

use std::collections::BTreeSet;
use std::num::NonZeroUsize;

use clap::Args;
use compartment_core::{HostId, Matrix, Row, Tag};

use super::MatrixError;

/// On which hosts.
#[derive(Clone, Debug, Args)]
pub struct On {
    /// The hosts.
    #[arg(value_name = "HOST", required_unless_present_any = ["all", "tags"], conflicts_with_all = ["all", "tags"])]
    pub hosts: Vec<HostId>,

    /// Every host that the hub knows.
    #[arg(long, conflicts_with = "tags")]
    pub all: bool,

    /// Every host with this tag; may be given again, for those with another one, too.
    #[arg(long = "tag", value_name = "TAG")]
    pub tags: Vec<Tag>,

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
        self.all || self.hosts.contains(&row.host) || is_tagged(row, &self.tags)
    }
}

/// What is to be looked at.
#[derive(Clone, Debug, Args)]
pub struct Looked {
    /// These hosts; the repository where none is named.
    #[arg(value_name = "HOST", conflicts_with_all = ["all", "tags"])]
    pub hosts: Vec<HostId>,

    /// Every host that the hub knows.
    #[arg(long, conflicts_with = "tags")]
    pub all: bool,

    /// Every host with this tag; may be given again, for those with another one, too.
    #[arg(long = "tag", value_name = "TAG")]
    pub tags: Vec<Tag>,

    /// On so many hosts at a time.
    #[arg(long, value_name = "N", default_value = "4")]
    pub limit: NonZeroUsize,
}

impl Looked {
    /// The hosts. `None` where the repository is meant.
    #[must_use]
    pub fn on(&self) -> Option<On> {
        let Self { hosts, all, tags, limit } = self;
        let (hosts, tags) = (hosts.clone(), tags.clone());
        let on = On { hosts, all: *all, tags, limit: *limit, offline_too: false, yes: false };
        (on.all || on.are_named() || !on.tags.is_empty()).then_some(on)
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
}

impl Shown {
    /// Whether a row is shown.
    #[must_use]
    pub fn shows(&self, row: &Row) -> bool {
        let all = self.hosts.is_empty() && self.tags.is_empty();
        all || self.hosts.contains(&row.host) || is_tagged(row, &self.tags)
    }

    /// The rows that are shown.
    pub(super) fn rows(&self, matrix: &Matrix) -> Vec<Row> {
        matrix.hosts.iter().filter(|row| self.shows(row)).cloned().collect()
    }

    /// Refuses names that the hub does not know: one of them may be misspelt.
    ///
    /// # Errors
    /// [`MatrixError::NoHost`], [`MatrixError::NoTag`].
    pub(super) fn check(&self, matrix: &Matrix) -> Result<(), MatrixError> {
        are_known(matrix, &self.hosts)?;
        are_used(matrix, &self.tags)
    }
}

fn is_tagged(row: &Row, tags: &[Tag]) -> bool {
    tags.iter().any(|tag| row.tags.contains(tag))
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

fn listed(names: &[&str]) -> String {
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
