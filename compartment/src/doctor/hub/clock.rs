//! The clock: held against the forge's, and against what was written down.

use std::fs;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use compartment_core::{Span, Timestamp};
use compartment_log_sqlite::{FILE_NAME, Reader};
use compartment_transport_http::client::{Endpoint, Token, TokenSource};

use super::{Finding, Looked};
use crate::hub::Where;

/// How far a clock may be off without a word.
const SLIGHT: Span = Span::from_secs(30);

/// From when on tokens and codes end at a wrong time.
const MUCH: Span = Span::from_mins(5);

/// How long the forge may take to say its time.
const WITHIN: Duration = Duration::from_secs(10);

const CHECK: &str = "clock";

const REMEDY: &str = "have this machine's clock set (systemd-timesyncd, chrony), and restart the hub";

pub(super) fn clock(looked: &Looked) -> Vec<Finding> {
    let mut found = Vec::new();
    // By the moment of the answer: what was asked before took its time.
    match forges_time(looked) {
        Some(time) => found.push(against_forge(time, now())),
        None => found.extend(against_files(looked)),
    }
    found.extend(against_log(looked));
    if found.is_empty() {
        found.push(Finding::good(CHECK, "it is not behind what was written down here"));
    }
    found
}

fn now() -> Timestamp {
    of_system(SystemTime::now())
}

fn of_system(time: SystemTime) -> Timestamp {
    let millis = time.duration_since(UNIX_EPOCH).unwrap_or_default().as_millis();
    Timestamp::from_millis(i64::try_from(millis).unwrap_or(i64::MAX)).unwrap_or(Timestamp::MAX)
}

fn against_forge(time: Timestamp, now: Timestamp) -> Finding {
    let (off, how) = if now > time { (now.since(time), "ahead of") } else { (time.since(now), "behind") };
    let words = format!("it is {off} {how} the forge's");
    if off > MUCH {
        return Finding::bad(CHECK, format!("{words}: tokens and codes end at a wrong time"), REMEDY);
    }
    if off > SLIGHT {
        return Finding::doubt(CHECK, words, REMEDY);
    }
    Finding::good(CHECK, "it goes with the forge's")
}

/// What was written lies in the past, by whatever clock.
fn against_files(looked: &Looked) -> Option<Finding> {
    let written = ["log.sqlite", "log.sqlite-wal", "tokens.json"].iter().filter_map(|name| {
        let time = fs::metadata(looked.data.join(name)).ok()?.modified().ok()?;
        Some((of_system(time), *name))
    });
    let (latest, name) = written.max()?;
    ahead(latest, &format!("{name} was written at {latest}"))
}

fn against_log(looked: &Looked) -> Option<Finding> {
    let reader = Reader::open(&looked.data.join(FILE_NAME)).ok()?;
    let last = reader.last()?.at;
    ahead(last, &format!("the last record of the log is of {last}"))
}

/// A moment that has not come yet was written down.
fn ahead(latest: Timestamp, what: &str) -> Option<Finding> {
    let now = now();
    if latest <= now + SLIGHT {
        return None;
    }
    let words = format!("{what}, which is {} ahead of this clock", latest.since(now));
    let remedy =
        format!("{REMEDY}; where the clock is right, what was written of the future comes true by itself");
    Some(match latest > now + MUCH {
        true => Finding::bad(CHECK, words, remedy),
        false => Finding::doubt(CHECK, words, remedy),
    })
}

/// What the server of the forge says the time is; nothing where it is asked otherwise than over HTTP, or does not say.
fn forges_time(looked: &Looked) -> Option<Timestamp> {
    let args = &looked.serve.forge;
    let place = match args.forge.as_ref()? {
        Where::Git(remote) => remote,
        Where::GitHub { .. } => &args.github_api,
        Where::Published(url) => url,
    };
    if !place.starts_with("http:") && !place.starts_with("https:") {
        return None;
    }
    let nobody = TokenSource::Given(Token::new("nobody").ok()?);
    let mut url = Endpoint::new(place, nobody).ok()?.url;
    // Whoever is let in by the address is not to be shown for a question about the time.
    let _no_base = url.set_username("").is_err() || url.set_password(None).is_err();
    url.set_path("/");
    url.set_query(None);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().ok()?;
    let date = runtime.block_on(async {
        let client = compartment_web::client(&url, Vec::new(), |http| http.timeout(WITHIN)).ok()?;
        let answer = client.head(url.clone()).send().await.ok()?;
        Some(answer.headers().get("date")?.to_str().ok()?.to_owned())
    });
    http_date(&date?)
}

/// `Tue, 01 Dec 2026 14:36:32 GMT`, the only form that is still sent.
fn http_date(said: &str) -> Option<Timestamp> {
    const MONTHS: [&str; 12] =
        ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
    let [_, day, month, year, time, "GMT"] = said.split_whitespace().collect::<Vec<_>>()[..] else {
        return None;
    };
    let month = MONTHS.iter().position(|known| *known == month)? + 1;
    format!("{year}-{month:02}-{day}T{time}Z").parse().ok()
}

#[cfg(test)]
mod tests {
    use super::super::super::Verdict;
    use super::*;

    #[test]
    fn a_date_of_http_is_read() {
        let read = |said: &str| http_date(said).map(|time| time.to_string());
        assert_eq!(read("Tue, 01 Dec 2026 14:36:32 GMT").as_deref(), Some("2026-12-01T14:36:32Z"));
        for bad in
            ["", "Tue", "Tue, 01 Dez 2026 14:36:32 GMT", "Tue, 99 Dec 2026 14:36:32 GMT", "a b c d e GMT"]
        {
            assert_eq!(read(bad), None, "{bad}");
        }
    }

    #[test]
    fn a_clock_is_judged_by_how_far_it_is_off() {
        let now: Timestamp = "2026-01-05T10:00:00Z".parse().unwrap();
        for (seconds, verdict) in
            [(0, Verdict::Ok), (30, Verdict::Ok), (31, Verdict::Warning), (301, Verdict::Error)]
        {
            for (time, here) in [(now, now + Span::from_secs(seconds)), (now + Span::from_secs(seconds), now)]
            {
                assert_eq!(against_forge(time, here).verdict, verdict, "{seconds}");
            }
        }
    }
}
