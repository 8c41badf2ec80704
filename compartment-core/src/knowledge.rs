//! What may be believed: the one function that every word on a fact goes through (CORE-006, section 10).
//!
//! A fact has parts (the checkout's commit, its dirt, its lock; what runs). Of every part the newest word that was
//! believed is remembered by a [`Mark`]. A new word is placed against that mark, and [`believe`] says what becomes
//! of the part. Nothing else decides that a word counts.
//!
//! Marks hold no times and no log positions, but a count of the host's starts, requests and ends ([`Clock`]): a
//! heartbeat that repeats what is known changes no mark, so that it need not be kept in the log (K10).

use serde::{Deserialize, Serialize};

/// Counts what words can be placed by: starts, requests, and words that end an operation. Words between two of
/// them share a value.
pub(crate) type Clock = u32;

/// When the newest believed word on a part was made.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Mark {
    /// After every word up to this one.
    low: Clock,
    /// Not after this.
    high: Clock,
    /// It tells no value: an operation may have changed the part by then. That is no word against the operation's own
    /// result.
    moved: bool,
}

impl Mark {
    /// Of a word that was made when it arrived.
    pub(crate) const fn at(clock: Clock) -> Self {
        Self { low: clock, high: clock, moved: false }
    }

    /// An operation that began at `start` may have changed the part by `now`.
    pub(crate) const fn moved(now: Clock, start: Clock) -> Self {
        Self { low: start.saturating_sub(1), high: now, moved: true }
    }

    /// Whether the word was surely made since `clock`.
    pub(crate) const fn is_since(self, clock: Clock) -> bool {
        self.low >= clock
    }

    /// Once one more word counts for the part: which of the two is the newest may be open, and then the mark is that
    /// of both. So no mark ever goes back, but where an operation's own end was lost.
    pub(crate) fn and(self, word: Self) -> Self {
        if word.moved {
            return word;
        }
        Self { low: self.low.max(word.low), high: self.high.max(word.high), moved: false }
    }

    /// The newest of two words that say the same.
    pub(crate) fn agreed(self, other: Self) -> Self {
        Self {
            low: self.low.max(other.low),
            high: self.high.max(other.high),
            moved: self.moved && other.moved,
        }
    }
}

/// When a word was made, as far as that can be told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Made {
    /// After every word with a smaller mark: the operation's seen start, else its request, else the last word in
    /// order of its own session. Zero where nothing tells.
    pub(crate) after: Clock,
    /// The first word that is surely after the operation's end. `None` where no word is.
    pub(crate) over: Option<Clock>,
}

impl Made {
    /// In the order in which it arrived (W3): a heartbeat, a start, or a result without an id.
    pub(crate) const IN_ORDER: Self = Self { after: Clock::MAX, over: None };

    /// The word's place against the newest one believed. `None` where there was none.
    pub(crate) fn place(self, newest: Option<Mark>) -> Place {
        match newest {
            None => Place::Later,
            Some(newest) if self.after > newest.high => Place::Later,
            Some(newest) if self.over.is_some_and(|over| over <= newest.low) => Place::Earlier,
            Some(_) => Place::Open,
        }
    }

    /// The mark of a part once this word is the newest one believed.
    pub(crate) fn mark(self, now: Clock) -> Mark {
        if self.after > now {
            return Mark::at(now);
        }
        // Made before the first word that is surely after the operation's end.
        let high = self.over.map_or(now, |over| over.min(now));
        Mark { low: self.after.saturating_sub(1), high, moved: false }
    }
}

/// A word's place against the newest one believed on the same part.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    /// Surely made after it.
    Later,
    /// Surely made before it.
    Earlier,
    /// Either is possible.
    Open,
}

/// What kind of word it is: how the operation ended that it reports, or a look at what is there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Word {
    /// No operation ended: a heartbeat. What it leaves out is no news.
    Look,
    /// The operation succeeded.
    Ok,
    /// It failed or was stopped. A pull's failure may always have changed something.
    Failed(Changed),
    /// Nobody tells how it ended.
    Lost,
}

/// Whether what failed has changed the fact.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Changed {
    Yes,
    No,
    Maybe,
}

impl From<Option<bool>> for Changed {
    /// From the `activated` of a failure or a stop.
    fn from(activated: Option<bool>) -> Self {
        match activated {
            Some(true) => Self::Yes,
            Some(false) => Self::No,
            None => Self::Maybe,
        }
    }
}

/// What a word says of a part.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Part<T> {
    /// This is its value.
    Told(T),
    /// Nothing.
    Silent,
    /// It is mentioned, and cannot be read.
    Unreadable,
}

impl<T> From<Option<T>> for Part<T> {
    fn from(told: Option<T>) -> Self {
        told.map_or(Self::Silent, Self::Told)
    }
}

/// What becomes of a part.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Belief<T> {
    /// It stays as it is known, and so does its mark.
    Stands,
    /// It stays as it is known: an older word or a newer one, both say so.
    Agreed,
    /// It is this.
    Is(T),
    /// It cannot be read.
    Unreadable,
    /// It is not known any more.
    Unknown,
}

impl<T> Belief<T> {
    /// What becomes of the part's mark by a word that would leave `new`.
    pub(crate) fn mark(&self, mark: &mut Mark, new: Mark) {
        match self {
            Self::Stands => {}
            Self::Agreed => *mark = mark.agreed(new),
            Self::Is(_) | Self::Unreadable | Self::Unknown => *mark = mark.and(new),
        }
    }
}

/// What to believe of one part (CORE-006, section 10).
///
/// `agrees` says whether the told value is the one that is known. `copy` is what the part was when the operation
/// was seen to start, where the commit is the same: what a success leaves out.
pub(crate) fn believe<T>(
    told: Part<T>,
    agrees: bool,
    copy: Option<T>,
    place: Place,
    word: Word,
) -> Belief<T> {
    match (word, place) {
        (Word::Look, _) => match told {
            Part::Told(value) => Belief::Is(value),
            Part::Unreadable => Belief::Unreadable,
            Part::Silent => Belief::Stands,
        },
        (_, Place::Earlier) | (Word::Failed(Changed::No), _) => Belief::Stands,
        (Word::Failed(Changed::Yes | Changed::Maybe) | Word::Lost, place) => match told {
            Part::Told(value) if place == Place::Later => Belief::Is(value),
            Part::Told(_) | Part::Silent | Part::Unreadable => Belief::Unknown,
        },
        (Word::Ok, Place::Later) => match (told, copy) {
            (Part::Told(value), _) | (Part::Silent, Some(value)) => Belief::Is(value),
            (Part::Unreadable, _) => Belief::Unreadable,
            (Part::Silent, None) => Belief::Unknown,
        },
        (Word::Ok, Place::Open) => match told {
            Part::Told(_) if agrees => Belief::Agreed,
            Part::Told(_) | Part::Silent | Part::Unreadable => Belief::Unknown,
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LATER: Made = Made { after: 5, over: None };

    #[test]
    fn a_word_is_later_where_its_start_or_request_is_after_the_newest_one() {
        assert_eq!(LATER.place(Some(Mark::at(4))), Place::Later);
        assert_eq!(LATER.place(Some(Mark::at(5))), Place::Open);
        assert_eq!(Made { after: 0, over: None }.place(None), Place::Later);
        assert_eq!(Made::IN_ORDER.place(Some(Mark::at(9))), Place::Later);
    }

    #[test]
    fn a_word_is_earlier_where_the_newest_one_is_surely_after_its_end() {
        let over = Made { after: 2, over: Some(4) };
        assert_eq!(over.place(Some(Mark::at(4))), Place::Earlier);
        assert_eq!(over.place(Some(Mark::at(3))), Place::Open);
        // The newest word may itself have been made before that end.
        assert_eq!(over.place(Some(Mark { low: 3, high: 6, moved: false })), Place::Open);
    }

    #[test]
    fn a_mark_says_between_which_words_the_newest_one_was_made() {
        assert!(Mark::at(4).is_since(4) && !Mark::at(4).is_since(5));
        let between = Mark { low: 2, high: 6, moved: false };
        assert!(between.is_since(2) && !between.is_since(3));
        // Of what surely began after all words, it is as if made now.
        assert_eq!(Made { after: 7, over: None }.mark(6), Mark::at(6));
        assert_eq!(Made { after: 6, over: None }.mark(6), Mark { low: 5, high: 6, moved: false });
        assert_eq!(Made { after: 3, over: Some(5) }.mark(6), Mark { low: 2, high: 5, moved: false });
        assert_eq!(Made { after: 3, over: Some(9) }.mark(6), Mark { low: 2, high: 6, moved: false });
    }

    #[test]
    fn one_more_word_makes_no_word_older() {
        let mark = |low, high, moved| Mark { low, high, moved };
        let (one, other) = (mark(1, 6, false), mark(3, 4, false));
        assert_eq!((one.and(other), other.and(one)), (mark(3, 6, false), mark(3, 6, false)));
        assert_eq!((one.agreed(other), other.agreed(one)), (mark(3, 6, false), mark(3, 6, false)));
        // What only may have moved is forgotten once a word tells, and the other way round.
        assert_eq!(mark(1, 6, true).and(other), mark(3, 6, false));
        assert_eq!(one.and(mark(0, 2, true)), mark(0, 2, true));
        assert_eq!(one.agreed(mark(3, 4, true)), mark(3, 6, false));
        assert_eq!(mark(1, 6, true).agreed(mark(3, 4, true)), mark(3, 6, true));
    }

    #[test]
    fn the_function_as_it_stands_in_the_specification() {
        use Belief::{Agreed, Is, Stands, Unknown};
        use Place::{Earlier, Later, Open};
        let told = |place, word| believe(Part::Told(2), false, Some(1), place, word);
        let silent = |place, end| believe(Part::Silent, false, Some(1), place, end);
        let rows = [
            (Earlier, Word::Ok, Stands, Stands),
            (Earlier, Word::Lost, Stands, Stands),
            (Open, Word::Failed(Changed::No), Stands, Stands),
            (Later, Word::Failed(Changed::Maybe), Is(2), Unknown),
            (Open, Word::Failed(Changed::Yes), Unknown, Unknown),
            (Later, Word::Lost, Is(2), Unknown),
            (Later, Word::Ok, Is(2), Is(1)),
            (Open, Word::Ok, Unknown, Unknown),
            (Later, Word::Look, Is(2), Stands),
        ];
        for (place, end, if_told, if_silent) in rows {
            assert_eq!((told(place, end), silent(place, end)), (if_told, if_silent), "{place:?} {end:?}");
        }
        assert_eq!(believe(Part::Told(2), true, None, Open, Word::Ok), Agreed);
        assert_eq!(believe(Part::Unreadable, false, Some(1), Later, Word::Ok), Belief::<i32>::Unreadable);
    }
}
