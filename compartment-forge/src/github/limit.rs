//! How often GitHub may be asked, from the headers of its answers.

use compartment_core::{Span, Text, Timestamp};
use compartment_runtime::{ForgeError, RateLimit};

/// How long to wait where GitHub does not say: what its documentation asks for.
const UNSAID: Span = Span::from_mins(1);

/// The longest wait: its hour is over by then.
const LONGEST: Span = Span::from_mins(60);

/// What an answer says about that.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Counted {
    /// `x-ratelimit-limit`
    pub(super) limit: Option<u64>,
    /// `x-ratelimit-remaining`
    pub(super) remaining: Option<u64>,
    /// `x-ratelimit-reset`: seconds since 1970, by GitHub's clock.
    pub(super) reset: Option<i64>,
    /// `retry-after`: seconds.
    pub(super) retry_after: Option<u64>,
}

impl Counted {
    /// Reads the headers.
    pub(super) fn read<'a>(header: impl Fn(&'static str) -> Option<&'a str>) -> Self {
        let number = |name| header(name).and_then(|value| value.trim().parse().ok());
        Self {
            limit: number("x-ratelimit-limit"),
            remaining: number("x-ratelimit-remaining"),
            reset: header("x-ratelimit-reset").and_then(|value| value.trim().parse().ok()),
            retry_after: number("retry-after"),
        }
    }

    /// As the port says it.
    pub(super) fn rate(&self) -> Option<RateLimit> {
        let resets_at = Timestamp::from_millis(self.reset?.checked_mul(1000)?).ok()?;
        Some(RateLimit { remaining: self.remaining?, limit: self.limit?, resets_at })
    }

    /// For how long nothing is to be asked, where this answer refused for that reason.
    pub(super) fn wait(&self, status: u16, body: &[u8], now: Timestamp) -> Option<Span> {
        if !matches!(status, 403 | 429) {
            return None;
        }
        let said = String::from_utf8_lossy(body).to_lowercase();
        let wait = if let Some(seconds) = self.retry_after {
            Span::from_secs(seconds.min(LONGEST.as_millis() / 1000))
        } else if self.remaining == Some(0) {
            let reset =
                self.reset.and_then(|seconds| Timestamp::from_millis(seconds.checked_mul(1000)?).ok());
            // One that is over already is by a clock that is not this one.
            reset.filter(|reset| *reset > now).map_or(UNSAID, |reset| reset.since(now))
        } else if status == 429 || said.contains("rate limit") {
            UNSAID
        } else {
            return None;
        };
        // A second at least: clocks differ.
        Some(wait.clamp(Span::from_secs(1), LONGEST))
    }
}

/// The error that says so.
pub(super) fn limited(wait: Span, now: Timestamp) -> ForgeError {
    let until = (now + wait).whole_second();
    ForgeError::Limited {
        reason: Text::new(&format!("GitHub was asked too often; it may be asked again from {until} on")),
        wait,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn now() -> Timestamp {
        Timestamp::from_millis(1_700_000_000_000).unwrap()
    }

    fn counted(headers: &[(&str, &'static str)]) -> Counted {
        Counted::read(|name| headers.iter().find(|(key, _)| *key == name).map(|(_, value)| *value))
    }

    #[test]
    fn refusals_say_how_long_to_wait() {
        let primary = [("x-ratelimit-remaining", "0"), ("x-ratelimit-reset", "1700000090")];
        for (status, headers, body, wait) in [
            (403, &primary[..], "", Some(90)),
            (429, &primary[..], "", Some(90)),
            (200, &primary[..], "", None),
            (403, &[("retry-after", "7"), ("x-ratelimit-remaining", "4000")], "", Some(7)),
            (403, &[("retry-after", "99999999999")], "", Some(3600)),
            (403, &[("x-ratelimit-remaining", "0"), ("x-ratelimit-reset", "1")], "", Some(60)),
            (403, &[("x-ratelimit-remaining", "0")], "", Some(60)),
            (429, &[], "", Some(60)),
            (403, &[], "You have exceeded a secondary rate limit.", Some(60)),
            (403, &[("x-ratelimit-remaining", "12")], "Resource not accessible by integration", None),
        ] {
            let waits = counted(headers).wait(status, body.as_bytes(), now());
            assert_eq!(waits, wait.map(Span::from_secs), "{status} {headers:?} {body}");
        }
    }

    #[test]
    fn the_rate_is_shown_when_all_of_it_is_told() {
        let headers = [("x-ratelimit-limit", "5000"), ("x-ratelimit-remaining", "4999")];
        assert_eq!(counted(&headers).rate(), None);
        let headers = [headers[0], headers[1], ("x-ratelimit-reset", "1700000090")];
        let rate = counted(&headers).rate().unwrap();
        assert_eq!((rate.remaining, rate.limit), (4999, 5000));
        assert_eq!(rate.resets_at, now() + Span::from_secs(90));
        assert_eq!(
            limited(Span::from_secs(90), now()).to_string(),
            "GitHub was asked too often; it may be asked again from 2023-11-14T22:14:50Z on"
        );
    }
}
