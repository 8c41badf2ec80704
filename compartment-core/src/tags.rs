//! What an operator calls a host, to name many at once. Nothing is judged by it.

use core::fmt;

use alloc::vec::Vec;

use serde::{Deserialize, Deserializer, Serialize};

use crate::id::{Invalid, Tag};

/// The tags of a host: each once, by name. At most [`Tags::MOST`].
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Tags(Vec<Tag>);

impl Tags {
    /// No tag.
    pub const NONE: Self = Self(Vec::new());

    /// The most that a host may have.
    pub const MOST: usize = 32;

    /// What more are refused with.
    pub(crate) const TOO_MANY: Invalid = Invalid { what: "list of tags", expected: "at most 32 of them" };

    /// These tags.
    ///
    /// # Errors
    /// [`Invalid`] where there are more than [`Self::MOST`].
    pub fn new(tags: impl IntoIterator<Item = Tag>) -> Result<Self, Invalid> {
        let mut tags: Vec<_> = tags.into_iter().collect();
        tags.sort_unstable();
        tags.dedup();
        if tags.len() > Self::MOST { Err(Self::TOO_MANY) } else { Ok(Self(tags)) }
    }

    /// Whether there are none.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether one of them is this.
    #[must_use]
    pub fn contains(&self, tag: &Tag) -> bool {
        self.0.binary_search(tag).is_ok()
    }

    /// All of them, by name.
    pub fn iter(&self) -> impl Iterator<Item = &Tag> {
        self.0.iter()
    }
}

impl fmt::Display for Tags {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (n, tag) in self.0.iter().enumerate() {
            if n > 0 {
                f.write_str(", ")?;
            }
            f.write_str(tag.as_str())?;
        }
        Ok(())
    }
}

impl<'de> Deserialize<'de> for Tags {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        Self::new(Vec::deserialize(from)?).map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use alloc::format;
    use alloc::string::ToString;

    use super::*;

    fn tags(names: &[&str]) -> Tags {
        Tags::new(names.iter().map(|name| Tag::new(name).unwrap())).unwrap()
    }

    #[test]
    fn each_is_there_once_and_in_order() {
        let tags = tags(&["prod", "eu", "prod", "role=web"]);
        assert_eq!(tags.to_string(), "eu, prod, role=web");
        assert!(tags.contains(&Tag::new("prod").unwrap()) && !tags.contains(&Tag::new("pro").unwrap()));
        assert_eq!(serde_json::from_str::<Tags>(r#"["prod","role=web","eu","eu"]"#).unwrap(), tags);
    }

    #[test]
    fn more_than_a_host_may_have_are_refused() {
        let of = |many: usize| Tags::new((0..many).map(|n| Tag::new(&format!("t{n}")).unwrap()));
        assert_eq!(of(Tags::MOST).unwrap().iter().count(), Tags::MOST);
        assert_eq!(
            of(Tags::MOST + 1).unwrap_err().to_string(),
            "not a valid list of tags: expected at most 32 of them"
        );
        for wrong in ["", " ", "-a", "a b", &"a".repeat(64)] {
            assert!(Tag::new(wrong).is_err(), "{wrong:?}");
        }
    }
}
