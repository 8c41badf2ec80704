//! Argument vectors with gaps in them.

use std::fmt;

/// What an order and the machine say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Slot {
    Checkout,
    Host,
    Number,
    Path,
}

impl Slot {
    const ALL: [Self; 4] = [Self::Checkout, Self::Host, Self::Number, Self::Path];

    const fn name(self) -> &'static str {
        match self {
            Self::Checkout => "checkout",
            Self::Host => "host",
            Self::Number => "number",
            Self::Path => "path",
        }
    }
}

impl fmt::Display for Slot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{{{}}}", self.name())
    }
}

/// One argument: text, and gaps that are filled in for each order. What is filled in stays inside the argument.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Template(Vec<Piece>);

#[derive(Clone, Debug, PartialEq, Eq)]
enum Piece {
    Text(String),
    Gap(Slot),
}

impl Template {
    /// Reads `{name}` as a gap, `{{` and `}}` as braces.
    ///
    /// # Errors
    /// In words: an unknown name, or a lone brace.
    pub(super) fn new(raw: &str) -> Result<Self, String> {
        let mut pieces = vec![];
        let mut text = String::new();
        let mut rest = raw;
        while let Some(at) = rest.find(['{', '}']) {
            text.push_str(&rest[..at]);
            let (brace, after) = rest[at..].split_at(1);
            if let Some(after) = after.strip_prefix(brace) {
                text.push_str(brace);
                rest = after;
                continue;
            }
            let (name, after) = after.split_once('}').filter(|_| brace == "{").ok_or_else(|| {
                format!("`{raw}` has a lone `{brace}`; write `{brace}{brace}` where it stands for itself")
            })?;
            let slot = Slot::ALL.into_iter().find(|slot| slot.name() == name).ok_or_else(|| {
                let known = Slot::ALL.map(|slot| slot.to_string()).join(", ");
                format!("`{raw}` has the unknown placeholder {{{name}}}; there are {known}")
            })?;
            pieces.extend([Piece::Text(std::mem::take(&mut text)), Piece::Gap(slot)]);
            rest = after;
        }
        text.push_str(rest);
        pieces.push(Piece::Text(text));
        pieces.retain(|piece| !matches!(piece, Piece::Text(text) if text.is_empty()));
        Ok(Self(pieces))
    }

    /// The argument, with the gaps filled in.
    ///
    /// # Errors
    /// What `value` says of a gap that it cannot fill.
    pub(super) fn fill<E>(&self, mut value: impl FnMut(Slot) -> Result<String, E>) -> Result<String, E> {
        let mut filled = String::new();
        for piece in &self.0 {
            match piece {
                Piece::Text(text) => filled.push_str(text),
                Piece::Gap(slot) => filled.push_str(&value(*slot)?),
            }
        }
        Ok(filled)
    }

    /// The gap that it begins with, if it does.
    pub(super) fn begins_with(&self) -> Option<Slot> {
        match self.0.first()? {
            Piece::Gap(slot) => Some(*slot),
            Piece::Text(_) => None,
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn filled(raw: &str) -> Result<String, String> {
        Template::new(raw)?.fill(|slot| Ok(format!("<{}>", slot.name())))
    }

    #[test]
    fn gaps_are_filled() {
        for (raw, expected) in [
            ("", ""),
            ("plain", "plain"),
            ("{checkout}#{host}", "<checkout>#<host>"),
            ("{number}{path}", "<number><path>"),
            ("{{host}} }}{{", "{host} }{"),
            ("{{{host}}}", "{<host>}"),
            ("ä{host}ü", "ä<host>ü"),
        ] {
            assert_eq!(filled(raw).as_deref(), Ok(expected), "{raw}");
        }
    }

    #[test]
    fn what_is_no_gap_is_named() {
        assert!(
            filled("x{hots}")
                .unwrap_err()
                .contains("unknown placeholder {hots}; there are {checkout}, {host}")
        );
        for raw in ["{", "}", "a{host", "host}", "{}x}", "{ host }"] {
            assert!(filled(raw).is_err(), "{raw}");
        }
    }

    #[test]
    fn what_is_filled_in_is_not_read_again() {
        let argument = Template::new("{path}").unwrap().fill(|_| Ok::<_, ()>("{host} $(x) 'y'".to_owned()));
        assert_eq!(argument.as_deref(), Ok("{host} $(x) 'y'"));
    }
}
