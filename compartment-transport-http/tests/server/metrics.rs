//! What Prometheus is told, read as Prometheus reads it.

use std::collections::{BTreeMap, BTreeSet};

use compartment_core::event::Event;
use compartment_core::{Compartment, Status};
use compartment_transport_http::server::AgentsConfig;
use serde_json::Value;

use super::world::{World, soon};

type Labels = BTreeMap<String, String>;

/// An answer: which type each family has, and each sample's value.
#[derive(Debug, Default)]
struct Scrape {
    types: BTreeMap<String, String>,
    samples: BTreeMap<(String, Labels), f64>,
}

/// Reads the text format, and fails where it is not kept.
fn parse(text: &str) -> Scrape {
    let mut scrape = Scrape::default();
    let (mut families, mut current) = (BTreeSet::new(), String::new());
    let body = text.strip_suffix("# EOF\n").expect("the last line says that it is the last");
    for line in body.lines() {
        if let Some(rest) = line.strip_prefix("# ") {
            let mut words = rest.splitn(3, ' ');
            let (kind, name, value) = (words.next().unwrap(), words.next().unwrap(), words.next().unwrap());
            assert!(["HELP", "TYPE", "UNIT"].contains(&kind), "{line}");
            if name != current {
                current = name.to_owned();
                assert!(families.insert(current.clone()), "all of a family stands together: {line}");
            }
            if kind == "TYPE" {
                scrape.types.insert(name.to_owned(), value.to_owned());
            }
            continue;
        }
        let (name, labels, value) = sample(line);
        assert!(name == current || name == format!("{current}_total"), "{name} is in {current}");
        let value = value.parse().expect("a number");
        assert!(scrape.samples.insert((name, labels), value).is_none(), "once: {line}");
    }
    scrape
}

/// `name{label="value"} 1`
fn sample(line: &str) -> (String, Labels, &str) {
    let Some((name, mut rest)) = line.split_once('{') else {
        let (name, value) = line.split_once(' ').expect("a name and a value");
        return (name.to_owned(), Labels::new(), value);
    };
    let mut labels = Labels::new();
    while let Some((label, after)) = rest.split_once("=\"") {
        let (mut value, mut chars) = (String::new(), after.char_indices());
        let end = loop {
            match chars.next().expect("a value that ends") {
                (at, '"') => break at,
                (_, '\\') => value.push(match chars.next().expect("something escaped").1 {
                    'n' => '\n',
                    c => c,
                }),
                (_, c) => value.push(c),
            }
        };
        assert!(labels.insert(label.trim_start_matches(',').to_owned(), value).is_none(), "{line}");
        rest = &after[end + 1..];
        if rest.starts_with('}') {
            break;
        }
    }
    (name.to_owned(), labels, rest.strip_prefix("} ").expect("a value"))
}

async fn scraped(world: &World, path: &str) -> Scrape {
    let answer = soon(world.get(path).send()).await.unwrap();
    assert_eq!(answer.status(), 200);
    assert!(answer.headers()["content-type"].to_str().unwrap().starts_with("application/openmetrics-text"));
    parse(&soon(answer.text()).await.unwrap())
}

#[tokio::test]
async fn each_host_is_told_by_itself_where_somebody_asks() {
    let world = World::with(AgentsConfig::default(), &["gpc0", "gpc1", "gpc2"]).await;
    let other = "b".repeat(40);
    for (host, commit) in [("gpc0", &"a".repeat(40)), ("gpc1", &other)] {
        let switched = format!(r#"{{"host":"{host}","type":"switch-ok","commit":"{commit}","dirty":false}}"#);
        let failed = format!(r#"{{"host":"{host}","type":"test-fail","passed":1,"total":2,"failed":["x"]}}"#);
        assert_eq!(world.says(host, &format!("{switched}\n{failed}")).await.status(), 200);
    }
    let hub = scraped(&world, "/metrics").await;
    assert!(
        hub.types.keys().all(|family| !family.starts_with("compartment_host_")),
        "only where it is asked"
    );
    assert_eq!(scraped(&world, "/metrics?hosts=0").await.types, hub.types);

    let all = scraped(&world, "/metrics?hosts=1").await;
    for (family, kind) in &hub.types {
        assert_eq!(all.types.get(family), Some(kind), "what is told of the hub stays");
    }
    let families: Vec<_> =
        all.types.keys().filter(|family| family.starts_with("compartment_host_")).collect();
    let told = ["cell", "drift", "last_heard_timestamp_seconds", "presence"];
    assert_eq!(families, told.map(|family| format!("compartment_host_{family}")).each_ref());

    let value = |family: &str, labels: &[(&str, &str)]| {
        let labels = labels.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        all.samples.get(&(format!("compartment_host_{family}"), labels)).copied()
    };
    let matrix: Value = soon(world.get("/v1/matrix").send()).await.unwrap().json().await.unwrap();
    let rows = matrix["hosts"].as_array().unwrap();
    assert_eq!(rows.len(), 3);
    for row in rows {
        let host = ("host", row["host"].as_str().unwrap());
        for cell in Compartment::ALL.iter().map(|cell| cell.as_str()) {
            for status in Status::ALL.iter().map(|status| status.as_str()) {
                let is = f64::from(u8::from(row["cells"][cell]["status"] == status));
                assert_eq!(value("cell", &[host, ("cell", cell), ("status", status)]), Some(is), "{row}");
            }
        }
        for presence in ["never", "online", "offline"] {
            let is = f64::from(u8::from(row["presence"] == presence));
            assert_eq!(value("presence", &[host, ("presence", presence)]), Some(is), "{row}");
        }
        let drift = row["generation"]["drift"].as_bool().unwrap();
        assert_eq!(value("drift", &[host]), Some(f64::from(u8::from(drift))));
        let heard = value("last_heard_timestamp_seconds", &[host]);
        let last_seen =
            row["last_seen"].as_str().map(|at| at.parse::<compartment_core::Timestamp>().unwrap());
        assert_eq!(
            heard.map(|seconds| (seconds * 1000.0).round() as i64),
            last_seen.map(|at| at.as_millis())
        );
    }
    assert_eq!(value("cell", &[("host", "gpc0"), ("cell", "tests"), ("status", "error")]), Some(1.0));
    assert_eq!(value("drift", &[("host", "gpc1")]), Some(1.0), "it is off the majority");
    assert_eq!(value("last_heard_timestamp_seconds", &[("host", "gpc2")]), None, "it was never heard");

    for wrong in ["/metrics?hosts=yes", "/metrics?hosts="] {
        assert_eq!(soon(world.get(wrong).send()).await.unwrap().status(), 400, "{wrong}");
    }
    let description: Value = soon(world.get("/openapi.json").send()).await.unwrap().json().await.unwrap();
    assert_eq!(description["paths"]["/metrics"]["get"]["parameters"][0]["name"], "hosts");
}

#[tokio::test]
async fn whoever_takes_no_answer_holds_up_nobody() {
    let world = World::new().await;
    let lines: Vec<_> = (0..2000).map(|n| format!(r#"{{"host":"h{n}","type":"heartbeat"}}"#)).collect();
    let report = |line: &String| {
        let event = compartment_core::ndjson::decode(line.as_bytes()).unwrap().event;
        let Event::Report(report) = event else { unreachable!("{event:?}") };
        report
    };
    let reports = lines.iter().map(report);
    world.hub.report(reports.collect()).await.unwrap();
    let mut answers = Vec::new();
    for _ in 0..4 {
        answers.push(soon(world.get("/metrics?hosts=1").send()).await.unwrap());
    }
    assert_eq!(world.says("gpc0", r#"{"host":"gpc0","type":"heartbeat"}"#).await.status(), 200);
    assert_eq!(soon(world.get("/metrics").send()).await.unwrap().status(), 200);
    let text = soon(answers.pop().unwrap().text()).await.unwrap();
    assert_eq!(
        parse(&text).samples.keys().filter(|(name, _)| name == "compartment_host_drift").count(),
        2002
    );
    drop(answers);
}
