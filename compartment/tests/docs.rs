//! What the README and the pages of `docs/` show is what there is.

const README: &str = include_str!("../../README.md");

#[test]
fn the_embedding_is_the_example() {
    let embed = include_str!("../../examples/core/embed.rs");
    assert!(embed.lines().count() < 60, "the smallest useful embedding is small");
    assert!(README.contains(embed), "README.md shows another embed.rs: copy examples/embed.rs into it");
}

/// `docs/EMBED.md` shows each lesson as it is.
#[test]
fn the_lessons_are_the_examples() {
    const PAGE: &str = include_str!("../../docs/EMBED.md");
    macro_rules! lesson {
        ($($file:literal)+) => { [$(($file, include_str!(concat!("../../examples/", $file)))),+] };
    }
    let lessons = lesson!(
        "core/fold.rs" "hub/operation_guard.rs" "hub/beside_a_hub.rs" "hub/mount_axum.rs" "hub/tail_live.rs"
        "hub/own_transport.rs" "hub/own_host.rs" "hub/own_log.rs" "hub/own_log_file.rs" "hub/own_forge.rs"
    );
    for (file, text) in lessons {
        assert!(text.lines().count() < 120, "{file} is small");
        assert!(
            PAGE.contains(&format!("```rust\n{text}```\n")),
            "docs/EMBED.md shows another {file}: copy it there"
        );
    }
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs");
    for target in PAGE.split("](").skip(1).filter_map(|rest| rest.split([')', '#']).next()) {
        assert!(target.is_empty() || root.join(target).exists(), "{target} is not there");
    }
}

#[test]
fn its_links_lead_somewhere() {
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    for target in README.split("](").skip(1).filter_map(|rest| rest.split(')').next()) {
        assert!(root.join(target).exists(), "{target} is not there");
    }
}

/// The document in `docs/JSON.md` is what its events fold into.
#[test]
fn the_json_example_is_real() {
    let page = include_str!("../../docs/JSON.md");
    let blocks: Vec<_> =
        page.split("```json\n").skip(1).filter_map(|rest| rest.split("```").next()).collect();
    let [events, document] = blocks[..] else {
        unreachable!("the page shows events, and the document they make")
    };
    let mut fleet = compartment_core::Fleet::new();
    for (position, line) in (1..).zip(events.lines()) {
        let envelope = compartment_core::ndjson::decode(line.as_bytes()).expect("an event");
        fleet.apply(&envelope.record(position).expect("a recorded event"));
    }
    let shown: serde_json::Value = serde_json::from_str(document).expect("a document");
    let now = shown["as_of"].as_str().and_then(|time| time.parse().ok()).expect("a time");
    let matrix = fleet.matrix(now, &compartment_core::ReadOptions::default());
    assert_eq!(
        serde_json::to_value(matrix).expect("a matrix is JSON"),
        shown,
        "docs/JSON.md shows something else"
    );
}

/// Every line that the specification shows is one that the library reads, and every type of event is shown.
#[test]
fn the_example_lines_are_read() {
    use compartment_core::event::EventType;
    let page = include_str!("../../docs/CORE-006.md");
    let lines = page.lines().filter(|line| line.starts_with("{\"") && line.contains("\"type\""));
    let mut shown: Vec<_> = lines
        .map(|line| {
            let envelope = compartment_core::ndjson::decode(line.as_bytes());
            envelope.unwrap_or_else(|error| unreachable!("{error}: {line}")).event.event_type()
        })
        .collect();
    shown.sort_unstable();
    shown.dedup();
    assert_eq!(shown, EventType::ALL);
}

/// Every reason that a cell can give stands in the specification, and every one that is not green in the guide to
/// troubles.
#[test]
fn every_reason_is_explained() {
    use compartment_core::compartment::{Status, agent, git, lock, system, tests};
    let specification = include_str!("../../docs/CORE-006.md");
    let guide = include_str!("../../docs/TROUBLESHOOTING.md");
    let verdicts = [
        agent::Reason::ALL.iter().map(|reason| reason.verdict()).collect::<Vec<_>>(),
        git::Reason::ALL.iter().map(|reason| reason.verdict()).collect(),
        lock::Reason::ALL.iter().map(|reason| reason.verdict()).collect(),
        system::Reason::ALL.iter().map(|reason| reason.verdict()).collect(),
        tests::Reason::ALL.iter().map(|reason| reason.verdict()).collect(),
    ];
    for verdict in verdicts.into_iter().flatten() {
        let code = format!("`{}`", verdict.code);
        assert!(specification.contains(&code), "docs/CORE-006.md does not know {code}");
        assert!(
            verdict.status == Status::Ok || guide.contains(&code),
            "docs/TROUBLESHOOTING.md does not know {code}"
        );
    }
}

/// The words of the glossary are in order, its names are in the code, and a name that it gives is not given twice among the
/// libraries but to the few whose crate is part of what they are.
#[test]
fn the_glossary_names_what_there_is_and_each_name_once() {
    const OF_A_CRATE: [&str; 8] =
        ["Checkout", "Ending", "Generation", "Host", "Order", "Token", "Verdict", "View"];
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let glossary = include_str!("../../docs/GLOSSARY.md");
    let rows: Vec<&str> = glossary.lines().filter(|line| line.starts_with("| **")).collect();
    let words: Vec<_> = rows.iter().filter_map(|row| row.split("**").nth(1)).map(str::to_lowercase).collect();
    assert!(words.len() > 40 && words.is_sorted(), "{words:?}");
    let is_library = |name: &str| name.starts_with("compartment-") && name != "compartment-proof";
    let folders = std::fs::read_dir(&root).expect("it is there").filter_map(Result::ok);
    let folders = folders.filter(|entry| is_library(&entry.file_name().to_string_lossy()));
    let mut paths: Vec<_> = folders.map(|entry| entry.path().join("src")).collect();
    let mut code = String::new();
    while let Some(path) = paths.pop() {
        match std::fs::read_dir(&path) {
            Ok(entries) => paths.extend(entries.filter_map(Result::ok).map(|entry| entry.path())),
            Err(_) => code += &std::fs::read_to_string(&path).expect("code is text"),
        }
    }
    let names = rows
        .iter()
        .filter_map(|row| row.rsplit('|').nth(1))
        .flat_map(|cell| cell.split('`').skip(1).step_by(2));
    for name in names.filter(|name| name.starts_with(char::is_uppercase)) {
        let name = name.split("::").next().unwrap_or(name);
        let is_end = |rest: &str| !rest.starts_with(|next: char| next.is_alphanumeric() || next == '_');
        assert!(
            code.split(name).skip(1).any(is_end),
            "docs/GLOSSARY.md names {name}: there is no such thing"
        );
        let defined = ["struct", "enum", "trait"].map(|kind| {
            let head = format!("\npub {kind} {name}");
            code.split(&*head).skip(1).filter(|rest| is_end(rest)).count()
        });
        let count: usize = defined.iter().sum();
        assert!(count <= 1 || OF_A_CRATE.contains(&name), "{name} is {count} things: see docs/GLOSSARY.md");
    }
}
