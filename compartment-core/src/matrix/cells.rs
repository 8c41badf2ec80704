//! The cells of a row, and how many show each colour; each has a JSON form of its own.

use alloc::borrow::Cow;
use alloc::collections::BTreeMap;
use alloc::string::String;
use alloc::vec::Vec;

use serde::de::{Deserializer, Error as _};
use serde::ser::{SerializeMap, Serializer};
use serde::{Deserialize, Serialize};

use super::{Row, Sentences};
use crate::compartment::{Cells, Color, Compartment, Evidence, Status};

/// The five cells of a row.
#[derive(Clone, Debug, PartialEq)]
pub struct RowCells([Cell; 5]);

/// One cell as it is shown.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Cell {
    /// Its status, and so its colour.
    pub status: Status,
    /// The reason's code. One that comes from a newer hub may be unknown here: fall back on the status.
    pub reason: Cow<'static, str>,
    /// Why, in words, where the read asked for them.
    pub message: Option<String>,
    /// The rule that decided: `S5`.
    pub rule: Cow<'static, str>,
}

impl Serialize for Cell {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        let mut map = to.serialize_map(Some(5))?;
        map.serialize_entry("status", &self.status)?;
        map.serialize_entry("color", &self.status.color())?;
        map.serialize_entry("reason", &self.reason)?;
        map.serialize_entry("message", &self.message)?;
        map.serialize_entry("rule", &self.rule)?;
        map.end()
    }
}

impl RowCells {
    pub(super) fn new(reasons: &Cells, evidence: &Evidence<'_>, sentences: Sentences) -> Self {
        Self(core::array::from_fn(|n| {
            let compartment = Compartment::ALL[n];
            let verdict = reasons.verdict(compartment);
            Cell {
                status: verdict.status,
                reason: Cow::Borrowed(verdict.code),
                message: match sentences {
                    Sentences::Written => Some(reasons.sentence(compartment, evidence)),
                    Sentences::Omitted => None,
                },
                rule: Cow::Borrowed(verdict.rule),
            }
        }))
    }

    /// One cell.
    #[must_use]
    pub const fn get(&self, compartment: Compartment) -> &Cell {
        &self.0[compartment as usize]
    }

    /// The sentence of one cell, where the read asked for it.
    #[must_use]
    pub fn message(&self, compartment: Compartment) -> Option<&str> {
        self.get(compartment).message.as_deref()
    }

    /// All of them, left to right.
    pub fn iter(&self) -> impl Iterator<Item = (Compartment, &Cell)> {
        Compartment::ALL.iter().copied().zip(&self.0)
    }
}

impl Serialize for RowCells {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.collect_map(self.iter())
    }
}

impl<'de> Deserialize<'de> for RowCells {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let mut told = BTreeMap::<Compartment, Cell>::deserialize(from)?;
        let mut cells = Vec::with_capacity(Compartment::ALL.len());
        for compartment in Compartment::ALL {
            let cell = told.remove(compartment);
            cells.push(
                cell.ok_or_else(|| D::Error::custom(format_args!("the cell {compartment} is missing")))?,
            );
        }
        let cells = cells.try_into().map_err(|_| D::Error::custom("there are five cells"))?;
        Ok(Self(cells))
    }
}

/// How many cells of each compartment show each colour.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts([[u32; 5]; 5]);

impl Counts {
    /// Counts the cells of some rows.
    pub fn of<'a>(rows: impl IntoIterator<Item = &'a Row>) -> Self {
        let mut counts = Self::default();
        for row in rows {
            counts.add(row.cells.iter().map(|(compartment, cell)| (compartment, cell.status)));
        }
        counts
    }

    pub(super) fn add(&mut self, cells: impl Iterator<Item = (Compartment, Status)>) {
        for (compartment, status) in cells {
            self.0[compartment as usize][status.color() as usize] += 1;
        }
    }

    /// How many cells of a compartment show a colour.
    #[must_use]
    pub const fn get(&self, compartment: Compartment, color: Color) -> u32 {
        self.0[compartment as usize][color as usize]
    }
}

impl Serialize for Counts {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        let colors = |compartment: Compartment| -> BTreeMap<Color, u32> {
            Color::ALL.iter().map(|color| (*color, self.get(compartment, *color))).collect()
        };
        to.collect_map(Compartment::ALL.iter().map(|compartment| (*compartment, colors(*compartment))))
    }
}

impl<'de> Deserialize<'de> for Counts {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let told = BTreeMap::<Compartment, BTreeMap<Color, u32>>::deserialize(from)?;
        let mut counts = Self::default();
        for (compartment, colors) in told {
            for (color, count) in colors {
                counts.0[compartment as usize][color as usize] = count;
            }
        }
        Ok(counts)
    }
}
