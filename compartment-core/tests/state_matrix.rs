//! `docs/STATE-MATRIX.md` is written from histories that really are folded: the colours in it cannot go stale.
//!
//! `UPDATE_DOCS=1 cargo test -p compartment-core --test state_matrix` writes it anew.

#![expect(clippy::disallowed_methods, reason = "the core does no I/O; the test of its documentation has to")]

use std::collections::BTreeSet;
use std::fmt::Write;
use std::path::Path;

use compartment_core::event::{Observation, TestsConfig, Via};
use compartment_core::testing::{
    Scenario, Step, commit, configured, desired, heartbeat, lock, log, merged, pull_fail, pull_ok,
    pull_started, pushed, released, rollback_ok, rollback_started, switch_fail, switch_ok, switch_started,
    test_fail, test_pass, test_started, unavailable,
};
use compartment_core::{ChannelName, Color, Compartment};

/// A combination of colours worth knowing.
struct Combination {
    name: &'static str,
    means: &'static str,
    action: &'static str,
    history: Vec<Step>,
}

const HOST: &str = "gpc0";

/// A host that was brought to `a` and works.
fn green() -> Vec<Step> {
    log![
        released("1.4.0"),
        desired('a'),
        heartbeat(HOST).agent("1.4.0").at('a').dirty(false).lock('a').runs("system-47", 47),
        switch_started(HOST),
        switch_ok(HOST).runs("system-48", 48),
        test_started(HOST),
        test_pass(HOST, 12),
    ]
    .into()
}

fn green_then<const N: usize>(steps: [Step; N]) -> Vec<Step> {
    [green(), steps.into()].concat()
}

/// A host that was brought from `a` to `b`, and not tested yet.
fn updated_then<const N: usize>(steps: [Step; N]) -> Vec<Step> {
    let update = log![
        merged(42, 'b', Some(lock('b'))),
        pull_started(HOST),
        pull_ok(HOST, 'b').lock('b').dirty(false),
        switch_started(HOST),
        switch_ok(HOST).runs("system-49", 49),
    ];
    [green(), update.into(), steps.into()].concat()
}

/// A host to which `a` was pushed and works.
fn pushed_then<const N: usize>(steps: [Step; N]) -> Vec<Step> {
    let current = log![
        released("1.4.0"),
        desired('a'),
        pushed(HOST, TestsConfig::default()),
        heartbeat(HOST).agent("1.4.0"),
        switch_started(HOST),
        switch_ok(HOST).commit('a').lock('a').dirty(false).runs("system-48", 48),
        test_started(HOST),
        test_pass(HOST, 12),
    ];
    [Vec::from(current), steps.into()].concat()
}

fn desired_without_lock(digit: char) -> compartment_core::Event {
    let channel = ChannelName::main();
    let look = Observation::DesiredObserved {
        channel,
        commit: commit(digit),
        lock_hash: None,
        via: Via::Git,
        look_started: None,
    };
    look.into()
}

fn combinations() -> Vec<Combination> {
    let of = |name, means, action, history| Combination { name, means, action, history };
    vec![
        of(
            "Never heard",
            "The host is configured, and nothing has come from it yet.",
            "Wait for its first report; if none comes, look at the agent or the transport.",
            log![configured(HOST, TestsConfig::default())].into(),
        ),
        of(
            "First report, nobody has looked",
            "The host reports, but neither the desired state nor a release is known yet. System and Tests are yellow and not gray: something runs there, and nothing proves it right.",
            "Wait for the first look at the repository.",
            log![heartbeat(HOST).agent("1.4.0").at('a').lock('a').runs("system-47", 47)].into(),
        ),
        of(
            "All is well",
            "The tool is current, the desired state is checked out, deployed and tested.",
            "Nothing.",
            green(),
        ),
        of(
            "No release to compare with",
            "All is proven but the agent, which has nothing to be compared with.",
            "Say which version is released (`agent-released`).",
            green().into_iter().skip(1).collect(),
        ),
        of(
            "The agent is old",
            "Everything else is right, but the agent is not the released version. A deployment that brings a new agent shows green only once the new one reports.",
            "Update or restart the agent.",
            green_then(log![released("1.5.0")]),
        ),
        of(
            "An update was merged",
            "The desired state has moved on, with new dependencies. Nothing was deployed: what runs still works, and is still the old state. A host without a checkout looks the same, and its advice is `deploy`.",
            "Pull, then switch (without a checkout: deploy), when it suits you.",
            green_then(log![merged(42, 'b', Some(lock('b')))]),
        ),
        of(
            "The configuration moved, the dependencies did not",
            "Another commit is desired, and its lock is the same as the host's. A checkout with local changes looks the same.",
            "Pull, then switch.",
            green_then(log![Observation::DesiredObserved {
                channel: ChannelName::main(),
                commit: commit('b'),
                lock_hash: Some(lock('a').into()),
                via: Via::Git,
                look_started: None,
            }]),
        ),
        of(
            "A pull runs",
            "The host is fetching the desired state.",
            "Wait.",
            green_then(log![merged(42, 'b', Some(lock('b'))), pull_started(HOST)]),
        ),
        of(
            "The pull failed",
            "The host could not fetch the desired state, and still runs the old one.",
            "Read the error; fix the network, the remote or the credentials; pull again.",
            green_then(log![merged(42, 'b', Some(lock('b'))), pull_started(HOST), pull_fail(HOST)]),
        ),
        of(
            "Pulled and not switched, or rolled back",
            "The checkout is the desired state, and what runs is something else that works.",
            "Switch. After a rollback, look into what failed first: the advice is then `fix`.",
            green_then(log![
                merged(42, 'b', Some(lock('b'))),
                pull_started(HOST),
                pull_ok(HOST, 'b').lock('b').dirty(false)
            ]),
        ),
        of(
            "A switch or rollback runs",
            "What runs is about to change; the last tests may no longer speak of it.",
            "Wait.",
            updated_then(log![test_started(HOST), test_pass(HOST, 12), switch_started(HOST)]),
        ),
        of(
            "Switched, not tested",
            "The desired state runs. Whether it works nobody knows yet. A host that was repaired by hand looks the same once its system says what it is.",
            "Test; it happens by itself where the host is configured so.",
            updated_then(log![]),
        ),
        of(
            "Tests run",
            "The desired state runs, and is being tested.",
            "Wait.",
            updated_then(log![test_started(HOST)]),
        ),
        of(
            "Deployed, and does not work",
            "The deployment succeeded and the tests did not pass. Those are two different things.",
            "Roll back to the generation that is offered, or fix it.",
            updated_then(log![test_started(HOST), test_fail(HOST, 11, 12)]),
        ),
        of(
            "Rolled back, tests run",
            "An earlier generation runs again and is being tested.",
            "Wait.",
            updated_then(log![
                test_started(HOST),
                test_fail(HOST, 11, 12),
                rollback_started(HOST).to(48),
                rollback_ok(HOST).runs("system-48", 48),
                test_started(HOST),
            ]),
        ),
        of(
            "Does not work, and the next update is there",
            "What runs failed its tests, and the desired state has moved on meanwhile.",
            "Roll back, or pull the update if it is the fix.",
            updated_then(log![test_started(HOST), test_fail(HOST, 11, 12), merged(43, 'c', Some(lock('c')))]),
        ),
        of(
            "The switch failed, nothing changed",
            "The new system was not activated: what ran before still runs, and its tests still count.",
            "Read the error, fix it, switch again.",
            green_then(log![switch_started(HOST), switch_fail(HOST).activated(false)]),
        ),
        of(
            "The switch failed half-way",
            "The switch failed and may have changed what runs. Nothing says that what runs now works.",
            "Look at the host; switch again or roll back.",
            green_then(log![switch_started(HOST), switch_fail(HOST).activated(true)]),
        ),
        of(
            "The switch failed, and the next update is there",
            "The last attempt failed, and a later merge does not make that good. A host without a checkout looks the same where what was to be pushed could not be built: what it runs is not what is desired.",
            "Fix the failure; pull and switch.",
            green_then(log![
                switch_started(HOST),
                switch_fail(HOST).activated(false),
                merged(43, 'c', Some(lock('c')))
            ]),
        ),
        of(
            "Nobody knows what happened",
            "A switch ended without a result, or the system was changed by something that nobody reported.",
            "Look at the host, or switch once more: both make it known.",
            green_then(log![switch_started(HOST), heartbeat(HOST).idle()]),
        ),
        of(
            "The desired state cannot be seen",
            "The repository is out of reach. Whatever was green before is unproven now.",
            "Fix the way to the repository; every host is right again with the next look.",
            green_then(log![unavailable("could not resolve host: git.example")]),
        ),
        of(
            "The source names no lock",
            "A new commit is desired, and whoever published it did not say which lock belongs to it.",
            "Fix the publisher; pull.",
            green_then(log![desired_without_lock('b')]),
        ),
        of(
            "Nothing can be read",
            "The host reports, and its own checkout, lock, system and version cannot be read. Doubt is yellow, whatever was green before.",
            "Look at the agent's log and permissions.",
            green_then(log![
                heartbeat(HOST)
                    .agent_unreadable()
                    .commit(compartment_core::event::Reading::Unreadable)
                    .lock_unreadable()
                    .system_unreadable(),
            ]),
        ),
        of(
            "Something is being pushed to a host without a checkout",
            "What runs is about to change, and it answers for Git and Lock too: nothing proves anything until the result is there.",
            "Wait.",
            pushed_then(log![desired('b'), switch_started(HOST)]),
        ),
        of(
            "What was pushed to a host without a checkout failed",
            "The deployment failed and may have changed what runs, which answers for Git and Lock too.",
            "Read the error, fix it, deploy again; or roll back.",
            pushed_then(log![desired('b'), switch_started(HOST), switch_fail(HOST)]),
        ),
        of(
            "A host without a checkout was taken back",
            "What was pushed there before runs again, which is not what is desired, and nobody has tested it since. The same colours show where a deployment was killed, or something changed what runs there and nobody told what: then the advice is `deploy`.",
            "Read what System says. Look into what made somebody take it back; deploy what is right; test.",
            pushed_then(log![
                desired('b'),
                switch_started(HOST),
                switch_ok(HOST).commit('b').lock('b').dirty(false).runs("system-49", 49),
                rollback_started(HOST).to_path("system-48"),
                rollback_ok(HOST).runs("system-48", 48),
            ]),
        ),
        of(
            "No tests",
            "The host has no tests, or they are switched off: gray is not failure.",
            "Write one. A deployment without tests only proves that it was deployed.",
            updated_then(log![test_started(HOST), test_pass(HOST, 0)]),
        ),
        of(
            "No lock to speak of",
            "The agent never said which lock it has; or the repository has no lock file. A clean checkout at the desired commit proves the lock all the same, so System is green.",
            "Nothing, or update the agent.",
            log![
                released("1.4.0"),
                desired('a'),
                heartbeat(HOST).agent("1.4.0").at('a').dirty(false).runs("system-47", 47),
                switch_started(HOST),
                switch_ok(HOST).runs("system-48", 48),
                test_started(HOST),
                test_pass(HOST, 12),
            ]
            .into(),
        ),
    ]
}

fn circle(color: Color) -> &'static str {
    match color {
        Color::Green => "🟢",
        Color::Yellow => "🟡",
        Color::Red => "🔴",
        Color::Blue => "🔵",
        Color::Gray => "⚪",
    }
}

fn document(combinations: &[Combination]) -> String {
    let mut out = String::from(HEAD);
    let mut details = String::new();
    let mut seen = BTreeSet::new();
    for (index, combination) in combinations.iter().enumerate() {
        let scenario = Scenario::given(combination.history.iter().cloned());
        let row = scenario.row(HOST);
        let colors: Vec<_> = row.cells.iter().map(|(_, cell)| cell.status.color()).collect();
        assert!(seen.insert(colors.clone()), "{} looks like one before it: {colors:?}", combination.name);
        let number = index + 1;
        let anchor = anchor(number, combination.name);
        let cells: Vec<_> = colors.iter().map(|color| format!("{} {color}", circle(*color))).collect();
        let name = combination.name;
        writeln!(out, "| {number} | {} | [{name}](#{anchor}) | `{}` |", cells.join(" | "), row.advice.action)
            .expect("a string takes everything");
        let rules: Vec<_> = row
            .cells
            .iter()
            .map(|(compartment, cell)| {
                let message = cell.message.as_deref().expect("sentences were asked for");
                let shown = circle(cell.status.color());
                format!("- {shown} **{}** ({}): {message}", title(compartment), cell.rule)
            })
            .collect();
        write!(
            details,
            "\n### {number}. {name}\n\n{}\n\n**Do:** {}\n\n{}\n",
            combination.means,
            combination.action,
            rules.join("\n")
        )
        .expect("a string takes everything");
    }
    out + "\n## What each means\n" + &details
}

/// The anchor that renderers give to a numbered heading.
fn anchor(number: usize, name: &str) -> String {
    let words = name.to_lowercase().replace(' ', "-").replace(',', "");
    format!("{number}-{words}")
}

fn title(compartment: Compartment) -> &'static str {
    match compartment {
        Compartment::Agent => "Agent",
        Compartment::Git => "Git",
        Compartment::Lock => "Lock",
        Compartment::System => "System",
        Compartment::Tests => "Tests",
    }
}

const HEAD: &str = "\
# The state matrix

The combinations of the five cells that are worth knowing by sight, what each means, and what to do. The colours,
rule numbers and sentences are printed by the library from a history of each; a test keeps this page true
(`compartment-core/tests/state_matrix.rs`, where the histories are).

| # | Agent | Git | Lock | System | Tests | What happened | Advice |
|--:|-------|-----|------|--------|-------|---------------|--------|
";

#[test]
fn the_document_is_what_the_code_says() {
    let combinations = combinations();
    assert!((20..=30).contains(&combinations.len()));
    let document = document(&combinations);
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/STATE-MATRIX.md");
    if std::env::var_os("UPDATE_DOCS").is_some() {
        std::fs::write(&path, &document).expect("docs/ is writable");
    }
    let written = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(written == document, "docs/STATE-MATRIX.md is stale: run this test with UPDATE_DOCS=1");
}
