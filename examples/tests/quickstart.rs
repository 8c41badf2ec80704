//! The weekly update as the matrix shows it: at every step the colours that its sentence claims.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a test that finds something else has failed")]

use std::sync::Arc;

use compartment_core::event::{Event, GenerationNumber, Report, Said};
use compartment_core::{Action, Color, Compartment, Matrix, Row, Work};
use compartment_examples::demo::{Demo, HOSTS, Hub, LiveHub, Step};
use compartment_local::run::Stop;
use compartment_runtime::hub::MemoryLog;

struct Scene {
    step: Step,
    matrix: Matrix,
    /// The hosts whose tests are due.
    due: Vec<String>,
}

impl Scene {
    /// The five colours of every host, by their first letters.
    fn colors(&self) -> Vec<String> {
        self.matrix.hosts.iter().map(colors).collect()
    }

    fn row(&self, host: &str) -> &Row {
        self.matrix.hosts.iter().find(|row| row.host.as_str() == host).unwrap()
    }

    fn actions(&self) -> Vec<Action> {
        self.matrix.hosts.iter().map(|row| row.advice.action).collect()
    }
}

fn colors(row: &Row) -> String {
    let letter = |color: Color| color.as_str()[..1].to_owned();
    row.cells.iter().map(|(_, cell)| letter(cell.status.color())).collect()
}

fn live_through() -> Vec<Scene> {
    let mut demo = Demo::new(Stop::default()).unwrap();
    let mut hub = LiveHub::start(Arc::new(MemoryLog::default()), demo.forge()).unwrap();
    let mut scenes = Vec::new();
    while let Some(step) = demo.step(&mut hub).unwrap() {
        let due = hub.outstanding().into_iter().map(|work| match work {
            Work::AutomaticTest { host, .. } => host.to_string(),
            Work::Request { .. } | Work::RecordExpiry { .. } => panic!("{work:?} at: {}", step.sentence),
        });
        let due = due.collect();
        let matrix = hub.matrix(hub.now()).unwrap();
        scenes.push(Scene { due, matrix, step });
    }
    hub.stop();
    scenes
}

/// What ran after a rollback, as its host said.
fn rolled_back_to(step: &Step) -> Option<GenerationNumber> {
    step.events.iter().find_map(|event| match event {
        Event::Report(Report { said: Said::DeployOk { system, .. }, .. }) => system.as_ref()?.number,
        Event::Report(_) | Event::Observation(_) | Event::Decision(_) => None,
    })
}

#[test]
fn every_step_shows_what_it_says() {
    let scenes = live_through();
    let [begin, propose, merge, pull, switch, test, back, again] = &scenes[..] else { panic!() };
    let code = |scene: &Scene, host: &str| scene.row(host).cells.get(Compartment::System).reason.clone();

    for scene in [begin, propose] {
        assert_eq!(scene.colors(), ["ggggg"; 3], "{}", scene.step.sentence);
        assert_eq!(scene.actions(), [Action::None; 3]);
    }
    assert_eq!(propose.matrix.fleet.pull_requests.len(), 1);

    // Git, Lock and with them System; the tests speak of what runs.
    assert_eq!(merge.colors(), ["gyyyg"; 3]);
    assert_eq!(merge.actions(), [Action::Pull; 3]);
    assert!(merge.matrix.fleet.pull_requests.is_empty());

    assert_eq!(pull.colors(), ["gggyg"; 3]);
    assert_eq!(pull.actions(), [Action::Switch; 3]);
    assert!(HOSTS.iter().all(|host| code(pull, host) == "not-switched"));

    assert_eq!(switch.colors(), ["ggggy"; 3]);
    assert_eq!(switch.due, HOSTS);

    assert_eq!(test.colors(), ["ggggg", "ggggr", "ggggg"]);
    let advice = &test.row("gpc1").advice;
    assert_eq!(advice.action, Action::Rollback);
    assert!(test.step.sentence.ends_with("A rollback to generation 1 is suggested."));
    let to = advice.to.as_ref().unwrap();
    assert_eq!(to.number, GenerationNumber::new(1));
    assert_eq!(to.number, rolled_back_to(&back.step), "the rollback goes where it was advised to go");

    assert_eq!(back.colors(), ["ggggg", "gggyy", "ggggg"]);
    assert_eq!(code(back, "gpc1"), "rolled-back");
    assert_eq!(back.due, ["gpc1"]);

    assert_eq!(again.colors(), ["ggggg", "gggyg", "ggggg"]);
    assert_eq!(code(again, "gpc1"), "rolled-back");
    assert!(again.due.is_empty());
    let drift: Vec<bool> = again.matrix.hosts.iter().map(|row| row.generation.drift).collect();
    assert_eq!(drift, [false, true, false]);
    assert!(again.matrix.fleet.channels.values().all(|channel| channel.split.is_some()));
}
