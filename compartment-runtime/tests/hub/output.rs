//! What operations print: followed while it comes, bounded, the oldest lines go first.

use std::sync::Arc;

use async_trait::async_trait;
use compartment_core::event::{Event, Said};
use compartment_core::{Ask, HostId, OpId, Text};
use compartment_runtime::hub::{Config, Configuration, Hub, MemoryLog, MemoryOutput, Ports};
use compartment_runtime::testing::hosts::Behaviour;
use compartment_runtime::{OutputError, OutputPage, OutputStore};
use futures::{FutureExt, StreamExt, TryStreamExt};

use super::world::{World, names, request, soon};

fn lines(lines: &[&str]) -> Vec<Text> {
    lines.iter().map(|line| Text::new(line)).collect()
}

fn op(id: &str) -> OpId {
    OpId::new(id).unwrap()
}

#[tokio::test]
async fn output_is_followed_until_its_operation_has_ended() {
    let world = World::green(1).await;
    let host = names(1)[0].clone();
    world.hosts.behave(&host, Behaviour::Hangs);
    world.hub.request(request("p", Ask::Pull { host: host.clone() })).await.unwrap();
    let mut pages = Box::pin(world.hub.follow(host.clone(), op("p")));
    assert!(pages.next().now_or_never().is_none(), "it waits");
    world.recorded(|event| matches!(event, Event::Report(r) if matches!(r.said, Said::Started { .. }))).await;
    world.hub.print(&host, &op("p"), lines(&["fetching", "resetting"])).await;
    let page = soon(pages.next()).await.unwrap().unwrap();
    assert_eq!(page, OutputPage { first: 1, lines: lines(&["fetching", "resetting"]) });
    world.hub.print(&host, &op("other"), lines(&["not of this operation"])).await;
    world.hub.print(&names(2)[1], &op("p"), lines(&["not of this host"])).await;
    assert!(pages.next().now_or_never().is_none());
    world.hub.print(&host, &op("p"), lines(&["done"])).await;
    let stop = Ask::Stop { host: host.clone(), target_op: op("p") };
    soon(world.hub.run(host.clone(), request("stop", stop))).await.unwrap();
    let rest: Vec<_> = soon(pages.try_collect()).await.unwrap();
    assert_eq!(rest, [OutputPage { first: 3, lines: lines(&["done"]) }]);
    assert!(world.hub.has_operation(&host, &op("p")).await.unwrap());
    assert!(!world.hub.has_operation(&host, &op("other")).await.unwrap());
    assert!(!world.hub.has_operation(&names(2)[1], &op("p")).await.unwrap());
    // Whoever comes later reads it all, and is not kept waiting.
    let all: Vec<_> = soon(world.hub.follow(host, op("p")).try_collect()).await.unwrap();
    assert_eq!(all, [OutputPage { first: 1, lines: lines(&["fetching", "resetting", "done"]) }]);
}

#[tokio::test]
async fn the_oldest_lines_go_first_and_a_reader_sees_that_they_are_gone() {
    let host = names(1)[0].clone();
    let store = Arc::new(MemoryOutput::new(400, 10_000));
    for n in 0..100 {
        store.append(&host, &op("a"), lines(&[&format!("line {n:03}")])).await.unwrap();
    }
    let page = store.read(&host, &op("a"), 1).await.unwrap();
    assert!(page.first > 80 && page.lines.len() < 20, "{page:?}");
    assert_eq!(page.lines.last(), Some(&Text::from("line 099")));
    assert_eq!(page.first + page.lines.len() as u64, 101, "numbers are kept");
    assert_eq!(store.read(&host, &op("a"), 101).await.unwrap().lines, []);
    assert_eq!(
        store.read(&host, &op("unknown"), 1).await.unwrap(),
        OutputPage { first: 1, lines: Vec::new() }
    );
}

#[tokio::test]
async fn the_operations_that_were_added_to_longest_ago_go_first() {
    let host = names(1)[0].clone();
    // Two operations that have hardly printed anything.
    let store = MemoryOutput::new(1000, 700);
    for id in ["a", "b", "a", "c"] {
        store.append(&host, &op(id), lines(&[id])).await.unwrap();
    }
    assert_eq!(store.read(&host, &op("a"), 1).await.unwrap().lines.len(), 2);
    assert_eq!(store.read(&host, &op("b"), 1).await.unwrap().lines.len(), 0);
    assert_eq!(store.read(&host, &op("c"), 1).await.unwrap().lines.len(), 1);
}

#[tokio::test]
async fn a_host_that_prints_without_end_takes_nothing_from_others() {
    let [loud, quiet] = [names(2)[0].clone(), names(2)[1].clone()];
    let store = MemoryOutput::new(1000, 10_000);
    for id in ["p", "q"] {
        store.append(&quiet, &op(id), lines(&["all is well"])).await.unwrap();
    }
    for n in 0..1000 {
        store.append(&loud, &op(&format!("op-{}", n % 100)), lines(&["noise", "", ""])).await.unwrap();
    }
    for id in ["p", "q"] {
        assert_eq!(store.read(&quiet, &op(id), 1).await.unwrap().lines, lines(&["all is well"]));
    }
    assert_eq!(store.read(&loud, &op("op-99"), 1).await.unwrap().lines.last(), Some(&Text::from("")));
    assert_eq!(store.read(&loud, &op("op-0"), 1).await.unwrap().lines, []);
}

#[tokio::test]
async fn one_enormous_line_is_no_reason_to_keep_more() {
    let host = names(1)[0].clone();
    let store = MemoryOutput::new(1000, 10_000);
    store.append(&host, &op("a"), vec![Text::new(&"x".repeat(70_000)), Text::from("last")]).await.unwrap();
    assert_eq!(
        store.read(&host, &op("a"), 1).await.unwrap(),
        OutputPage { first: 2, lines: lines(&["last"]) }
    );
}

#[tokio::test]
async fn two_hosts_with_operations_of_one_id_print_apart() {
    let store = MemoryOutput::new(1000, 10_000);
    for host in names(2) {
        store.append(&host, &op("a"), lines(&[host.as_str()])).await.unwrap();
    }
    for host in names(2) {
        assert_eq!(store.read(&host, &op("a"), 1).await.unwrap().lines, lines(&[host.as_str()]));
    }

    let world = World::green(2).await;
    let [one, two] = [names(2)[0].clone(), names(2)[1].clone()];
    for host in [&one, &two] {
        world.hosts.behave(host, Behaviour::Hangs);
        world.hub.request(request("p", Ask::Pull { host: host.clone() })).await.unwrap();
        world.hub.print(host, &op("p"), lines(&[host.as_str()])).await;
    }
    for host in [one, two] {
        let page = soon(Box::pin(world.hub.follow(host.clone(), op("p"))).next()).await.unwrap().unwrap();
        assert_eq!(page.lines, lines(&[host.as_str()]));
    }
}

/// A store whose disk is full, or does not answer.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Bad {
    Full,
    Stuck,
}

#[async_trait]
impl OutputStore for Bad {
    async fn append(&self, _: &HostId, _: &OpId, _: Vec<Text>) -> Result<(), OutputError> {
        match self {
            Self::Full => Err(OutputError("no space left".to_owned())),
            Self::Stuck => std::future::pending().await,
        }
    }

    async fn read(&self, host: &HostId, op: &OpId, _: u64) -> Result<OutputPage, OutputError> {
        self.append(host, op, Vec::new()).await.map(|()| OutputPage::default())
    }

    async fn forget(&self, host: &HostId, op: &OpId) -> Result<(), OutputError> {
        self.append(host, op, Vec::new()).await
    }
}

#[tokio::test(start_paused = true)]
async fn a_store_that_fails_or_hangs_costs_the_output_and_is_told() {
    for (bad, why) in [(Bad::Full, "no space left"), (Bad::Stuck, "longer than 5 s")] {
        let ports = Ports { output: Arc::new(bad), ..Ports::new(Arc::new(MemoryLog::default())) };
        let hub = Hub::start(ports, Config::default()).await.unwrap();
        let host = names(1)[0].clone();
        hub.configure(host.clone(), Configuration::default()).await.unwrap();
        hub.request(request("p", Ask::Pull { host: host.clone() })).await.unwrap();
        assert_eq!(hub.health().unwrap().upkeep, [""; 0]);
        hub.print(&host, &op("p"), lines(&["lost"])).await;
        let upkeep = hub.health().unwrap().upkeep;
        assert!(upkeep.len() == 1 && upkeep[0].contains("what operations print"), "{upkeep:?}");
        assert!(upkeep[0].contains(why), "{upkeep:?}");
        // Whoever follows is told of the end all the same.
        let stop = Ask::Stop { host: host.clone(), target_op: op("p") };
        hub.request(request("stop", stop)).await.unwrap();
        let pages: Vec<_> = soon(hub.follow(host, op("p")).try_collect()).await.unwrap();
        assert_eq!(pages, []);
        soon(hub.shutdown()).await;
    }
}
