//! The colours of a host.

use super::{Channel, Host, Kind, Verdict, same};

/// What a cell shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[expect(missing_docs, reason = "colours")]
pub enum Color {
    Green,
    Yellow,
    Red,
    Blue,
    Gray,
}

pub(super) fn git(host: &Host, channel: Option<&Channel>, running: Option<Kind>) -> Color {
    if running == Some(Kind::Pull) {
        return Color::Blue;
    }
    let (Some(commit), Some(channel)) = (&host.commit, channel) else { return Color::Gray };
    if channel.error.is_some() {
        Color::Red
    } else if host.dirty == Some(true) {
        Color::Yellow
    } else if channel.commit.as_ref().is_some_and(|desired| same(commit, desired)) {
        Color::Green
    } else if host.last_pull.is_some_and(|pull| pull.verdict != Verdict::Good) {
        Color::Red
    } else {
        Color::Yellow
    }
}

pub(super) fn lock(host: &Host, channel: Option<&Channel>) -> Color {
    let (Some(lock), Some(channel)) = (&host.lock_hash, channel) else { return Color::Gray };
    if channel.error.is_some() {
        Color::Red
    } else if channel.lock_hash.as_ref() == Some(lock) {
        Color::Green
    } else {
        Color::Yellow
    }
}

pub(super) fn system(host: &Host, channel: Option<&Channel>, running: Option<Kind>) -> Color {
    if matches!(running, Some(Kind::Switch | Kind::Rollback)) {
        return Color::Blue;
    }
    match host.last_attempt.map(|attempt| attempt.verdict) {
        Some(Verdict::Bad) => return Color::Red,
        Some(Verdict::Unknown) => return Color::Yellow,
        Some(Verdict::Good | Verdict::NoTests) | None => {}
    }
    let Some(deployment) = &host.deployment else { return Color::Gray };
    let Some(channel) = channel.filter(|channel| channel.error.is_none()) else { return Color::Yellow };
    let Some(desired) = &channel.commit else { return Color::Yellow };
    // Where the host speaks of dirt, what runs has to be known to be clean.
    let clean = match host.dirty {
        None => deployment.dirty != Some(true),
        Some(dirty) => !dirty && deployment.dirty == Some(false),
    };
    let checkout = host.commit.as_ref().is_some_and(|commit| same(commit, desired))
        && host.lock_hash.as_ref().is_none_or(|lock| Some(lock) == channel.lock_hash.as_ref());
    let deployed = deployment.commit.as_ref().is_some_and(|commit| same(commit, desired))
        && deployment.lock_hash.as_ref().is_none_or(|lock| Some(lock) == channel.lock_hash.as_ref());
    if clean && checkout && deployed { Color::Green } else { Color::Yellow }
}

pub(super) fn tests(host: &Host, channel: Option<&Channel>, running: Option<Kind>) -> Color {
    if host.tests.is_some_and(|tests| !tests.enabled) {
        return Color::Gray;
    }
    if running == Some(Kind::Test) {
        return Color::Blue;
    }
    let Some(deployment) = &host.deployment else { return Color::Gray };
    let Some(test) = host.last_test else { return Color::Yellow };
    let attempt_runs = matches!(running, Some(Kind::Switch | Kind::Rollback));
    if test.deployment != Some(deployment.count) || attempt_runs {
        return Color::Yellow;
    }
    match test.verdict {
        Verdict::NoTests => Color::Gray,
        Verdict::Good if channel.is_some_and(|channel| channel.error.is_none()) => Color::Green,
        Verdict::Good | Verdict::Unknown => Color::Yellow,
        Verdict::Bad => Color::Red,
    }
}
