//! Hosts that are chosen by what they are, and not by their names.

use std::collections::BTreeSet;
use std::str::FromStr;

use compartment_core::matrix::Presence;
use compartment_core::{ChannelName, Color, Compartment, Matrix, Row, Tag};

use super::MatrixError;
use super::hosts::{are_used, listed};

/// What a host has to be to be meant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Choice {
    /// Operators call it so.
    Tag(Tag),
    /// It follows this channel.
    Channel(ChannelName),
    /// A cell has this colour: the one that is named, or any of the five.
    Cell(Option<Compartment>, Color),
    /// It is marked as drift.
    Drift,
    /// It is there, or is not.
    Presence(Presence),
}

impl Choice {
    /// Whether a host is one of these.
    #[must_use]
    pub fn fits(&self, row: &Row) -> bool {
        match self {
            Self::Tag(tag) => row.tags.contains(tag),
            Self::Channel(channel) => row.channel == *channel,
            Self::Cell(Some(cell), color) => row.cells.get(*cell).status.color() == *color,
            Self::Cell(None, color) => row.cells.iter().any(|(_, cell)| cell.status.color() == *color),
            Self::Drift => row.shows_drift(),
            Self::Presence(presence) => row.presence == *presence,
        }
    }

    /// Refuses what no host is called or follows: it may be misspelt.
    ///
    /// # Errors
    /// [`MatrixError::NoTag`], [`MatrixError::NoChannel`].
    pub(super) fn check(&self, matrix: &Matrix) -> Result<(), MatrixError> {
        match self {
            Self::Tag(tag) => are_used(matrix, std::slice::from_ref(tag)),
            Self::Channel(channel) if matrix.hosts.iter().all(|row| row.channel != *channel) => {
                let known: BTreeSet<_> = matrix.hosts.iter().map(|row| row.channel.as_str()).collect();
                let known = listed(&known.into_iter().collect::<Vec<_>>());
                Err(MatrixError::NoChannel { channel: channel.clone(), known })
            }
            Self::Channel(_) | Self::Cell(..) | Self::Drift | Self::Presence(_) => Ok(()),
        }
    }
}

impl FromStr for Choice {
    type Err = String;

    /// `red`, `lock=yellow`, `channel=main`, `drift`, `offline`, `tag=web`; any other word is a tag.
    fn from_str(text: &str) -> Result<Self, String> {
        let tag = |name: &str| Tag::new(name).map(Self::Tag).map_err(|error| error.to_string());
        if let Some((what, value)) = text.split_once('=') {
            return match what {
                "tag" => tag(value),
                "channel" => ChannelName::new(value).map(Self::Channel).map_err(|error| error.to_string()),
                cell => {
                    let cell = Compartment::from_name(cell).ok_or(
                        "expected tag=, channel=, or a cell: agent=, git=, lock=, system= or tests=",
                    )?;
                    let color = Color::from_name(value)
                        .ok_or("the colour is one of green, yellow, red, blue and gray")?;
                    Ok(Self::Cell(Some(cell), color))
                }
            };
        }
        if let Some(color) = Color::from_name(text) {
            return Ok(Self::Cell(None, color));
        }
        if let Some(presence) = Presence::from_name(text) {
            return Ok(Self::Presence(presence));
        }
        match text {
            "drift" => Ok(Self::Drift),
            name => tag(name),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_word_is_a_colour_a_presence_or_drift_before_it_is_a_tag() {
        let read = |text: &str| text.parse::<Choice>();
        let tag = |name: &str| Ok(Choice::Tag(Tag::new(name).unwrap()));
        assert_eq!(read("red"), Ok(Choice::Cell(None, Color::Red)));
        assert_eq!(read("tag=red"), tag("red"));
        assert_eq!(read("web"), tag("web"));
        assert_eq!(read("lock=yellow"), Ok(Choice::Cell(Some(Compartment::Lock), Color::Yellow)));
        assert_eq!(read("drift"), Ok(Choice::Drift));
        assert_eq!(read("offline"), Ok(Choice::Presence(Presence::Offline)));
        assert_eq!(read("channel=edge"), Ok(Choice::Channel(ChannelName::new("edge").unwrap())));
        for wrong in ["", "lock=purple", "kernel=red", "tag=", "channel="] {
            assert!(read(wrong).is_err(), "{wrong}");
        }
    }
}
