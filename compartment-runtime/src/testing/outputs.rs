//! What every store of output has to do.
//!
//! Call [`check_all`] with something that makes an empty store of the size that is asked for.

#![expect(clippy::unwrap_used, reason = "these are the assertions of tests; what they find ends them")]

use std::sync::Arc;

use compartment_core::{HostId, OpId, Text};

use crate::{OutputPage, OutputStore};

/// How much a store keeps.
#[derive(Clone, Copy, Debug)]
pub struct Size {
    /// The most bytes of an operation.
    pub of_one: usize,
    /// The most bytes of all.
    pub of_all: usize,
}

impl Size {
    const USUAL: Self = Self { of_one: 64 << 10, of_all: 1 << 20 };
}

fn host(name: &str) -> HostId {
    HostId::new(name).unwrap()
}

fn op(id: &str) -> OpId {
    OpId::new(id).unwrap()
}

fn lines(lines: &[&str]) -> Vec<Text> {
    lines.iter().map(|line| Text::new(line)).collect()
}

/// Everything that is kept of an operation, page by page; and the number of the first line.
async fn all(store: &dyn OutputStore, host: &HostId, op: &OpId) -> (u64, Vec<Text>) {
    let first = store.read(host, op, 1).await.unwrap();
    let (start, mut next, mut all) = (first.first, first.first, Vec::new());
    let mut page = first;
    while !page.lines.is_empty() {
        assert_eq!(page.first, next, "pages follow each other");
        next += page.lines.len() as u64;
        all.append(&mut page.lines);
        page = store.read(host, op, next).await.unwrap();
    }
    assert_eq!(
        page,
        OutputPage { first: next, lines: Vec::new() },
        "an empty page says that there are no more yet"
    );
    (start, all)
}

/// Runs every check against a store that `make` makes anew for each.
///
/// # Panics
/// Where the store does not do what it has to.
pub async fn check_all(make: impl Fn(Size) -> Arc<dyn OutputStore>) {
    what_was_printed_is_read_in_order_and_by_number(&*make(Size::USUAL)).await;
    operations_are_told_apart(&*make(Size::USUAL)).await;
    what_is_told_again_is_there_once(&*make(Size::USUAL)).await;
    the_oldest_lines_go_first(&*make(Size::USUAL)).await;
    one_line_or_one_page_that_is_too_large(&*make(Size { of_one: 1000, ..Size::USUAL })).await;
    nobody_takes_anothers_place(&*make(Size::USUAL)).await;
    many_print_at_once(make(Size { of_all: 64 << 20, ..Size::USUAL })).await;
}

async fn what_was_printed_is_read_in_order_and_by_number(store: &dyn OutputStore) {
    let (gpc0, p) = (host("gpc0"), op("p"));
    assert_eq!(store.read(&gpc0, &p, 0).await.unwrap(), OutputPage { first: 1, lines: Vec::new() });
    assert_eq!(store.read(&gpc0, &p, 7).await.unwrap(), OutputPage { first: 7, lines: Vec::new() });
    let strange =
        ["", "a", "\u{1b}[31mred\r\n", "ä ✓", "compartment-output 1 9 gpc0 p", "", "\0", &"x".repeat(5000)];
    store.append(&gpc0, &p, lines(&strange[..3])).await.unwrap();
    store.append(&gpc0, &p, Vec::new()).await.unwrap();
    store.append(&gpc0, &p, lines(&strange[3..])).await.unwrap();
    assert_eq!(all(store, &gpc0, &p).await, (1, lines(&strange)));
    for from in 1..=strange.len() {
        let page = store.read(&gpc0, &p, from as u64).await.unwrap();
        assert_eq!((page.first, page.lines.first()), (from as u64, lines(&strange).get(from - 1)), "{from}");
    }
    let many: Vec<_> = (0..1500).map(|n| Text::new(&format!("line {n}"))).collect();
    store.append(&gpc0, &op("q"), many.clone()).await.unwrap();
    assert_eq!(all(store, &gpc0, &op("q")).await, (1, many));
}

async fn operations_are_told_apart(store: &dyn OutputStore) {
    let long = "x".repeat(253);
    let hosts = ["a", "A", "a.b", "a-b", "a_b", "con", "a.new", &long];
    let longest = "y".repeat(100);
    let ops = ["p", "P", "p:q", "p.q", "p..", "0:.._-", "p.new", &longest];
    for name in hosts {
        for id in ops {
            store.append(&host(name), &op(id), lines(&[name, id])).await.unwrap();
        }
    }
    for name in hosts {
        for id in ops {
            assert_eq!(all(store, &host(name), &op(id)).await, (1, lines(&[name, id])), "{name} {id}");
        }
    }
    assert_eq!(all(store, &host("b"), &op("p")).await.1, []);
}

async fn what_is_told_again_is_there_once(store: &dyn OutputStore) {
    let (gpc0, p) = (host("gpc0"), op("p"));
    store.forget(&gpc0, &p).await.unwrap();
    store.append(&gpc0, &op("q"), lines(&["stays"])).await.unwrap();
    for _ in 0..3 {
        store.append(&gpc0, &p, lines(&["one", "two"])).await.unwrap();
        assert_eq!(all(store, &gpc0, &p).await, (1, lines(&["one", "two"])));
        store.forget(&gpc0, &p).await.unwrap();
        assert_eq!(all(store, &gpc0, &p).await, (1, Vec::new()));
    }
    assert_eq!(all(store, &gpc0, &op("q")).await, (1, lines(&["stays"])));
}

async fn the_oldest_lines_go_first(store: &dyn OutputStore) {
    let (gpc0, p) = (host("gpc0"), op("p"));
    let count = 20_000;
    for n in 0..count / 10 {
        let lines = (n * 10..n * 10 + 10).map(|n| Text::new(&format!("this is line {n:05}")));
        store.append(&gpc0, &p, lines.collect()).await.unwrap();
    }
    let (first, kept) = all(store, &gpc0, &p).await;
    assert_eq!(first + kept.len() as u64, count + 1, "numbers are kept");
    let bytes: usize = kept.iter().map(|line| line.as_str().len()).sum();
    assert!(bytes <= Size::USUAL.of_one && kept.len() > 100, "{} lines", kept.len());
    for (number, line) in (first..).zip(&kept) {
        assert_eq!(line.as_str(), format!("this is line {:05}", number - 1));
    }
    assert!(first > 1);
    // Whoever was behind sees by the number that something is gone.
    assert_eq!(store.read(&gpc0, &p, 2).await.unwrap().first, first);
}

async fn one_line_or_one_page_that_is_too_large(store: &dyn OutputStore) {
    let gpc0 = host("gpc0");
    store.append(&gpc0, &op("a"), lines(&[&"x".repeat(70_000), "last"])).await.unwrap();
    assert_eq!(all(store, &gpc0, &op("a")).await, (2, lines(&["last"])));
    store.append(&gpc0, &op("a"), lines(&[&"x".repeat(70_000)])).await.unwrap();
    let (first, kept) = all(store, &gpc0, &op("a")).await;
    assert_eq!((first, kept.len()), (4, 0), "a line that does not fit is counted, and not kept");
    store.append(&gpc0, &op("a"), lines(&["after"])).await.unwrap();
    assert_eq!(all(store, &gpc0, &op("a")).await, (4, lines(&["after"])));
}

async fn nobody_takes_anothers_place(store: &dyn OutputStore) {
    for id in ["p", "q"] {
        store.append(&host("quiet"), &op(id), lines(&["all is well"])).await.unwrap();
    }
    let noise = vec![Text::new(&"noise ".repeat(600)); 8];
    for n in 0..400 {
        store.append(&host("loud"), &op(&format!("op-{}", n % 100)), noise.clone()).await.unwrap();
    }
    for id in ["p", "q"] {
        assert_eq!(all(store, &host("quiet"), &op(id)).await, (1, lines(&["all is well"])));
    }
    let mut bytes = 0;
    for n in 0..100 {
        let (_, kept) = all(store, &host("loud"), &op(&format!("op-{n}"))).await;
        bytes += kept.iter().map(|line| line.as_str().len()).sum::<usize>();
    }
    assert!(bytes <= Size::USUAL.of_all, "{bytes}");
    assert!(!all(store, &host("loud"), &op("op-99")).await.1.is_empty(), "the newest is there");
}

async fn many_print_at_once(store: Arc<dyn OutputStore>) {
    let print = |n: usize| {
        let store = Arc::clone(&store);
        async move {
            let (name, id) = (host(&format!("h{}", n % 10)), op(&format!("op-{}", n / 10)));
            for line in 0..20 {
                store.append(&name, &id, lines(&[&format!("{n} {line}")])).await.unwrap();
            }
        }
    };
    futures::future::join_all((0..100).map(print)).await;
    for n in 0..100 {
        let (_, kept) = all(&*store, &host(&format!("h{}", n % 10)), &op(&format!("op-{}", n / 10))).await;
        assert_eq!(kept, (0..20).map(|line| Text::new(&format!("{n} {line}"))).collect::<Vec<_>>());
    }
}
