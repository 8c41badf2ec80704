//! Output in files: what the suite asks of every store, and what a folder adds: a restart, a crash, a disk.

#![expect(clippy::unwrap_used, reason = "a test that finds something else has failed")]

use std::fs::{self, OpenOptions};
use std::io::Write;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use compartment_core::{HostId, OpId, Text};
use compartment_output_files::{FileOutput, Limits};
use compartment_runtime::testing::outputs;
use compartment_runtime::{OutputPage, OutputStore};
use tempfile::TempDir;

/// Limits that leave a disk of tests nothing.
fn limits() -> Limits {
    Limits { least_space: 0, ..Limits::default() }
}

struct Desk {
    folder: TempDir,
    limits: Limits,
}

impl Desk {
    fn new(limits: Limits) -> Self {
        Self { folder: tempfile::tempdir().unwrap(), limits }
    }

    fn top(&self) -> PathBuf {
        self.folder.path().join("output")
    }

    fn open(&self) -> FileOutput {
        FileOutput::open(&self.top(), self.limits).unwrap()
    }

    /// The files of operations, however deep they lie.
    fn files(&self) -> Vec<PathBuf> {
        let entries = |folder: &Path| {
            let entries = fs::read_dir(folder).into_iter().flatten();
            entries.map(|entry| entry.unwrap().path()).collect::<Vec<_>>()
        };
        let mut files: Vec<_> = entries(&self.top()).iter().flat_map(|folder| entries(folder)).collect();
        files.sort();
        files
    }

    /// The one file that there is.
    fn file(&self) -> PathBuf {
        let files = self.files();
        assert_eq!(files.len(), 1);
        files[0].clone()
    }
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

async fn print(store: &FileOutput, name: &str, id: &str, said: &[&str]) {
    store.append(&host(name), &op(id), lines(said)).await.unwrap();
}

async fn read(store: &FileOutput, name: &str, id: &str) -> Vec<String> {
    let page = store.read(&host(name), &op(id), 1).await.unwrap();
    page.lines.iter().map(Text::to_string).collect()
}

#[tokio::test]
async fn files_pass_the_suite_of_outputs() {
    let folders = Mutex::new(Vec::new());
    outputs::check_all(|size| {
        let (of_one, of_all) = (size.of_one as u64, size.of_all as u64);
        let desk = Desk::new(Limits { of_one, of_all, operations: 1000, ..limits() });
        let store = Arc::new(desk.open());
        folders.lock().unwrap().push(desk);
        store
    })
    .await;
}

#[tokio::test]
async fn what_was_printed_is_there_after_a_restart_and_goes_on() {
    let desk = Desk::new(Limits { of_one: 2000, ..limits() });
    let store = desk.open();
    print(&store, "gpc0", "p", &["one", "", "two"]).await;
    print(&store, "gpc1", "p", &["other"]).await;
    for n in 0..300 {
        print(&store, "gpc0", "q", &[&format!("line {n:03}")]).await;
    }
    let before = store.read(&host("gpc0"), &op("q"), 1).await.unwrap();
    assert!(before.first > 1);
    drop(store);
    let store = desk.open();
    assert_eq!(read(&store, "gpc0", "p").await, ["one", "", "two"]);
    assert_eq!(read(&store, "gpc1", "p").await, ["other"]);
    assert_eq!(store.read(&host("gpc0"), &op("q"), 1).await.unwrap(), before, "numbers are kept");
    print(&store, "gpc0", "p", &["three"]).await;
    assert_eq!(
        store.read(&host("gpc0"), &op("p"), 3).await.unwrap(),
        OutputPage { first: 3, lines: lines(&["two", "three"]) }
    );
}

#[tokio::test]
async fn files_are_their_owners_alone_and_readable_with_a_pager() {
    let desk = Desk::new(limits());
    print(&desk.open(), "gpc0", "p:1", &["fetching", "done"]).await;
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    let file = desk.file();
    assert_eq!([mode(&desk.top()), mode(file.parent().unwrap()), mode(&file)], [0o700, 0o700, 0o600]);
    assert_eq!(fs::read_to_string(&file).unwrap(), "compartment-output 1 1 gpc0 p:1\nfetching\ndone\n");
    fs::set_permissions(desk.top(), fs::Permissions::from_mode(0o777)).unwrap();
    let refused = FileOutput::open(&desk.top(), desk.limits).unwrap_err().to_string();
    assert!(refused.contains("chmod go-w"), "{refused}");
}

/// A crash leaves a file that ends anywhere.
#[tokio::test]
async fn whatever_is_left_of_a_line_is_cut_off() {
    let desk = Desk::new(limits());
    print(&desk.open(), "gpc0", "p", &["first", "second ✓", "third"]).await;
    let whole = fs::read(desk.file()).unwrap();
    let file = desk.file();
    for cut in 0..=whole.len() {
        fs::create_dir_all(file.parent().unwrap()).unwrap();
        fs::write(&file, &whole[..cut]).unwrap();
        let store = desk.open();
        let kept = read(&store, "gpc0", "p").await;
        let ends = whole[..cut].iter().filter(|byte| **byte == b'\n').count();
        assert_eq!(kept, ["first", "second ✓", "third"][..ends.saturating_sub(1)], "at {cut}");
        print(&store, "gpc0", "p", &["after"]).await;
        assert_eq!(read(&store, "gpc0", "p").await.last().unwrap(), "after");
    }
    // As a file system leaves it that had made the file longer, and written nothing yet.
    fs::write(&file, [&whole[..], &[0; 500]].concat()).unwrap();
    let store = desk.open();
    assert_eq!(read(&store, "gpc0", "p").await.len(), 3);
    print(&store, "gpc0", "p", &["after"]).await;
    assert_eq!(read(&store, "gpc0", "p").await.last().unwrap(), "after");
}

#[tokio::test]
async fn a_file_that_is_another_operations_or_no_text_is_not_believed() {
    let desk = Desk::new(limits());
    print(&desk.open(), "gpc0", "p", &["mine"]).await;
    let file = desk.file();
    for wrong in [
        "compartment-output 1 1 gpc1 p\nanother's\n",
        "compartment-output 2 1 gpc0 p\nnewer\n",
        "compartment-output 1 0 gpc0 p\nno number\n",
        "compartment-output 1 x gpc0 p\nno number\n",
        "something else\n",
        "",
    ] {
        fs::create_dir_all(file.parent().unwrap()).unwrap();
        fs::write(&file, wrong).unwrap();
        let store = desk.open();
        assert_eq!(read(&store, "gpc0", "p").await, [""; 0], "{wrong}");
        print(&store, "gpc0", "p", &["anew"]).await;
        assert_eq!(read(&store, "gpc0", "p").await, ["anew"]);
    }
    fs::write(&file, b"compartment-output 1 1 gpc0 p\n\xff\x1b[2J\n").unwrap();
    assert_eq!(read(&desk.open(), "gpc0", "p").await, ["\u{fffd}␛[2J"]);
    // The largest number that there is.
    fs::write(&file, format!("compartment-output 1 {} gpc0 p\nlast\n", u64::MAX)).unwrap();
    let store = desk.open();
    print(&store, "gpc0", "p", &["beyond"]).await;
    let _page = store.read(&host("gpc0"), &op("p"), u64::MAX).await;
}

#[tokio::test]
async fn a_host_keeps_its_newest_operations() {
    let desk = Desk::new(Limits { operations: 3, ..limits() });
    let store = desk.open();
    for id in ["a", "b", "c", "a", "d"] {
        print(&store, "gpc0", id, &[id]).await;
    }
    print(&store, "gpc1", "a", &["other"]).await;
    assert_eq!(read(&store, "gpc0", "b").await, [""; 0], "it was added to longest ago");
    assert_eq!(read(&store, "gpc0", "a").await, ["a", "a"]);
    assert_eq!(desk.files().len(), 4);
    drop(store);
    // A smaller limit holds from the start.
    let smaller = FileOutput::open(&desk.top(), Limits { operations: 1, ..desk.limits }).unwrap();
    assert_eq!(read(&smaller, "gpc1", "a").await, ["other"]);
    assert_eq!(desk.files().len(), 2);
}

#[tokio::test]
async fn all_together_are_bounded_also_after_a_restart() {
    let desk = Desk::new(Limits { of_all: 40 << 10, ..limits() });
    let store = desk.open();
    print(&store, "quiet", "p", &["all is well"]).await;
    for n in 0..50 {
        print(&store, "loud", &format!("op-{n}"), &["noise"]).await;
    }
    let on_disk = |desk: &Desk| {
        desk.files().iter().map(|file| fs::metadata(file).unwrap().len().div_ceil(4096)).sum::<u64>() * 4096
    };
    assert!(on_disk(&desk) <= 40 << 10);
    assert_eq!(read(&store, "quiet", "p").await, ["all is well"]);
    drop(store);
    let smaller = FileOutput::open(&desk.top(), Limits { of_all: 8 << 10, ..desk.limits }).unwrap();
    assert_eq!(read(&smaller, "quiet", "p").await, ["all is well"]);
    assert!(on_disk(&desk) <= 8 << 10);
    // Where one goes, its host's folder goes with the last.
    print(&smaller, "third", "p", &["x"]).await;
    assert!(fs::read_dir(desk.top()).unwrap().count() <= 2);
}

#[tokio::test]
async fn a_disk_that_takes_nothing_loses_output_and_nothing_else() {
    let desk = Desk::new(limits());
    let store = desk.open();
    print(&store, "gpc0", "p", &["before"]).await;
    drop(store);
    let full = FileOutput::open(&desk.top(), Limits { least_space: u64::MAX, ..desk.limits }).unwrap();
    let refused = full.append(&host("gpc0"), &op("p"), lines(&["lost"])).await.unwrap_err().to_string();
    assert!(refused.contains("MiB left") && !refused.contains('/'), "{refused}");
    assert_eq!(read(&full, "gpc0", "p").await, ["before"]);
    drop(full);
    // Something else has the place of a host's folder.
    let store = desk.open();
    print(&store, "gpc1", "p", &["x"]).await;
    let gpc1 =
        desk.files().iter().find(|file| fs::read_to_string(file).unwrap().contains("gpc1")).cloned().unwrap();
    let of_host = gpc1.parent().unwrap().to_owned();
    drop(store);
    fs::remove_dir_all(&of_host).unwrap();
    fs::write(&of_host, "in the way").unwrap();
    let store = desk.open();
    assert!(store.append(&host("gpc1"), &op("p"), lines(&["lost"])).await.is_err());
    print(&store, "gpc0", "p", &["after"]).await;
    assert_eq!(read(&store, "gpc0", "p").await, ["before", "after"]);
    fs::remove_file(&of_host).unwrap();
    print(&store, "gpc1", "p", &["again"]).await;
    assert_eq!(read(&store, "gpc1", "p").await, ["again"]);
}

#[tokio::test]
async fn what_others_do_to_the_files_ends_nothing() {
    let desk = Desk::new(limits());
    let store = desk.open();
    print(&store, "gpc0", "p", &["one", "two"]).await;
    let file = desk.file();
    fs::remove_file(&file).unwrap();
    let _lost = store.read(&host("gpc0"), &op("p"), 1).await;
    print(&store, "gpc0", "p", &["again"]).await;
    assert_eq!(read(&store, "gpc0", "p").await, ["again"]);
    OpenOptions::new().write(true).open(&file).unwrap().set_len(35).unwrap();
    let _cut = store.read(&host("gpc0"), &op("p"), 1).await;
    print(&store, "gpc0", "p", &["still"]).await;
    assert_eq!(read(&store, "gpc0", "p").await.last().unwrap(), "still");
    // Files of others are neither counted nor removed.
    fs::write(desk.top().join("notes"), "mine").unwrap();
    let mut beside = fs::File::create(file.parent().unwrap().join("notes")).unwrap();
    beside.write_all(b"mine").unwrap();
    symlink("/etc/hostname", file.parent().unwrap().join("0".repeat(32))).unwrap();
    drop(store);
    let store = FileOutput::open(&desk.top(), Limits { of_all: 0, ..desk.limits }).unwrap();
    assert_eq!(read(&store, "gpc0", "p").await, [""; 0]);
    assert!(desk.top().join("notes").exists() && file.parent().unwrap().join("notes").exists());
}
