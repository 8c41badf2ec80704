//! What stands around the matrix: why cells are not green, and the fleet as a whole.

use compartment_core::event::{PullRequest, RequestKind};
use compartment_core::matrix::{ChannelView, DesiredAvailability, GenerationEntry, Presence};
use compartment_core::{ChannelName, Color, Compartment, HostId, Matrix, Row, Status, Timestamp};

use textwrap::core::display_width;

use super::layout::{cut, fits, flow, labelled};
use super::matrix::mark;
use super::{BOLD, Width, painted, second, style};

/// The column where the words of the summary begin.
const WORDS: usize = 11;

/// One sentence for every cell that is not green; those of a host that say the same say it once. Where hosts have no agents,
/// nobody needs to be told that one was never heard of.
#[must_use]
pub fn reasons(rows: &[Row], have_agents: bool, width: Width) -> String {
    let mut text = String::new();
    for row in rows {
        let mut said: Vec<(Status, &str, Vec<&str>)> = Vec::new();
        for (compartment, cell) in row.cells.iter().filter(|(_, cell)| cell.status != Status::Ok) {
            if compartment == Compartment::Agent && cell.status == Status::Unknown && !have_agents {
                continue;
            }
            let Some(sentence) = &cell.message else { continue };
            let same =
                |(status, said, _): &&mut (Status, &str, _)| *status == cell.status && said == sentence;
            let name = compartment.title();
            match said.iter_mut().find(same) {
                Some((.., names)) => names.push(name),
                None => said.push((cell.status, sentence, vec![name])),
            }
        }
        for (status, sentence, names) in said {
            let label = format!("{} {}: {}:", mark(status), row.host, names.join(", "));
            text.push_str(&labelled(&label, 4, sentence, width));
        }
    }
    text
}

/// Why it is so with hosts, a line each; nothing where it is so with none.
#[must_use]
pub fn why(heading: &str, why: &[(HostId, String)], width: Width) -> String {
    if why.is_empty() {
        return String::new();
    }
    let heading = painted(BOLD, cut(heading, width));
    let lines = why.iter().map(|(host, why)| cut(&format!("  {host}: {why}"), width));
    [heading].into_iter().chain(lines).map(|line| line + "\n").collect()
}

/// The fleet: counts, channels, open pull requests, suggested rollbacks.
#[must_use]
pub fn summary(matrix: &Matrix, width: Width) -> String {
    let now = matrix.as_of;
    let mut text = labelled(&painted(BOLD, "Fleet"), WORDS, &presence(matrix), width);
    let counts: Vec<String> = Compartment::ALL.iter().map(|cell| counts(matrix, *cell)).collect();
    if !matrix.hosts.is_empty() {
        text += &beside("Cells", &counts, width);
    }
    for (name, channel) in &matrix.fleet.channels {
        let followed = matrix.hosts.iter().any(|row| row.channel == *name);
        if followed || channel.desired.state != DesiredAvailability::NeverObserved {
            text += &of_channel(name, channel, now, width);
        }
    }
    for open in &matrix.fleet.pull_requests {
        text += &labelled(&painted(BOLD, format!("PR {}", open.pr)), WORDS, &pull_request(open), width);
    }
    if let Some(merging) = &matrix.fleet.merging {
        let what = if merging.kind == RequestKind::MergePr { "merge" } else { "revert" };
        let words = format!(
            "the {what} of PR {} that {} asked for {} ago is under way ({}); it lapses at {}",
            merging.pr,
            merging.by,
            now.since(merging.asked_at),
            merging.op,
            second(merging.deliver_by)
        );
        text += &labelled(&painted(BOLD, "Forge"), WORDS, &words, width);
    }
    for row in &matrix.hosts {
        if let Some(to) = &row.advice.to {
            let words = format!("{} to {}", row.host, target(to, now));
            text += &labelled(&painted(BOLD, "Roll back"), WORDS, &words, width);
        }
    }
    text
}

/// A label, and items that are never split beside it; below it, a line each, where one does not fit.
fn beside(label: &str, items: &[String], width: Width) -> String {
    if !items.iter().all(|item| fits(WORDS + display_width(item), width)) {
        let items: String = items.iter().map(|item| labelled("", 2, item, width)).collect();
        return painted(BOLD, label) + "\n" + &items;
    }
    let items = flow(WORDS, " · ", items, width);
    // The label stands in the room that the first line leaves.
    painted(BOLD, label) + items.get(label.len()..).unwrap_or_default()
}

fn presence(matrix: &Matrix) -> String {
    let total = matrix.hosts.len();
    let hosts = if total == 1 { "host" } else { "hosts" };
    let counts = Presence::ALL.iter().rev().filter_map(|presence| {
        let count = matrix.hosts.iter().filter(|row| row.presence == *presence).count();
        let word = match presence {
            Presence::Never => "never heard",
            Presence::Online => "online",
            Presence::Offline => "offline",
        };
        (count > 0).then(|| format!("{count} {word}"))
    });
    let counts: Vec<String> = counts.collect();
    let counts = if counts.is_empty() { String::new() } else { format!(": {}", counts.join(", ")) };
    format!("{total} {hosts} as of {}{counts}", second(matrix.as_of))
}

fn counts(matrix: &Matrix, cell: Compartment) -> String {
    let counts = Status::ALL.iter().filter_map(|status| {
        let color: Color = status.color();
        let count = matrix.fleet.counts.get(cell, color);
        (count > 0).then(|| painted(style(*status), format!("{count} {status}")))
    });
    let counts: Vec<String> = counts.collect();
    let words = if counts.is_empty() { "none".to_owned() } else { counts.join(", ") };
    format!("{} {words}", cell.title())
}

fn of_channel(name: &ChannelName, channel: &ChannelView, now: Timestamp, width: Width) -> String {
    let desired = &channel.desired;
    let commit = desired.commit.map_or_else(|| "unknown".to_owned(), |commit| commit.short().to_string());
    let lock = match &desired.lock_hash {
        Some(lock) => format!("lock {}", lock.short()),
        None => "no lock hash".to_owned(),
    };
    let since = desired
        .since
        .map(|since| format!(" since {} ({})", second(since), now.since(since)))
        .unwrap_or_default();
    let error = desired.error.as_deref().unwrap_or("no cause given");
    let state = match desired.state {
        DesiredAvailability::Available => format!("desired is {commit}, {lock},{since}"),
        DesiredAvailability::Unavailable => {
            format!("the desired state is unavailable{since}: {error}; last seen: {commit}, {lock}")
        }
        DesiredAvailability::NeverObserved => "nobody has looked at the desired state yet".to_owned(),
    };
    let deployed = match (&channel.split, &channel.majority) {
        (Some(split), _) => format!("; deployed: {split}"),
        (None, Some(commit)) => format!("; deployed: {}", commit.short()),
        (None, None) => String::new(),
    };
    labelled(&painted(BOLD, name), WORDS, &format!("{state}{deployed}"), width)
}

fn pull_request(open: &PullRequest) -> String {
    let lock = if open.lock_update { "changes flake.lock" } else { "leaves flake.lock" };
    let mergeable = match open.mergeable {
        Some(true) => "can be merged",
        Some(false) => "cannot be merged",
        None => "not known to be mergeable yet",
    };
    let head = open.head.map(|head| format!(", head {}", head.short())).unwrap_or_default();
    let url = open.url.as_ref().map(|url| format!(", {url}")).unwrap_or_default();
    format!("{} ({lock}, {mergeable}{head}{url})", open.title)
}

/// A rollback's target: number, commit, when, tests.
fn target(to: &GenerationEntry, now: Timestamp) -> String {
    let commit = to.commit.map_or_else(|| "commit unknown".to_owned(), |commit| commit.short().to_string());
    let tests = match to.tests {
        compartment_core::generation::TestVerdict::None => "not tested",
        compartment_core::generation::TestVerdict::Passed => "tests passed",
        compartment_core::generation::TestVerdict::Failed => "tests failed",
    };
    format!("{}: {commit}, ran from {} ({} ago), {tests}", to, second(to.at), now.since(to.at))
}
