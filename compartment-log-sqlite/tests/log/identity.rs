//! Which log it is: kept with the log, and lost with whatever takes its place.

use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use compartment_core::OpId;
use compartment_core::event::{Deployer, Report, Said};
use compartment_core::testing::{commit, host, lock};
use compartment_log_sqlite::{SqliteLog, backup, export, import, unwatched};
use compartment_runtime::hub::{Config, Configuration, Hub, Ports, SystemClock};
use compartment_runtime::testing::hosts::MemoryHosts;
use compartment_runtime::testing::logs::records;
use compartment_runtime::{EventLog, LogId};
use futures::executor::block_on;

use crate::common::{log_of, place};

fn id(path: &Path) -> LogId {
    let log = SqliteLog::open(path).unwrap();
    let id = log.id();
    block_on(log.close()).unwrap();
    id
}

fn grow(path: &Path, from: u64) {
    let log = SqliteLog::open(path).unwrap();
    block_on(log.append(&records(from, 2))).unwrap();
    block_on(log.close()).unwrap();
}

#[test]
fn a_log_is_the_same_each_time() {
    let (folder, path) = log_of(2);
    let first = id(&path);
    assert_eq!(id(&path), first);
    grow(&path, 3);
    assert_eq!(id(&path), first);
    assert!(!format!("{first:?}").contains(first.as_str()), "it is a secret");
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        let mode = fs::metadata(folder.path().join("log.sqlite.id")).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
    }
    // A folder that is renamed holds the same file.
    let moved = folder.path().with_extension("moved");
    fs::rename(folder.path(), &moved).unwrap();
    assert_eq!(id(&moved.join("log.sqlite")), first);
    fs::rename(&moved, folder.path()).unwrap();
}

#[test]
fn a_backup_in_the_place_of_the_log_is_another_log() {
    let (folder, path) = log_of(2);
    let (first, copy) = (id(&path), folder.path().join("copy"));
    backup(&path, &copy, &mut unwatched).unwrap();
    grow(&path, 3);
    // Put there as another file, with the id left behind.
    fs::remove_file(&path).unwrap();
    fs::copy(&copy, &path).unwrap();
    let second = id(&path);
    assert_ne!(second, first);
    assert_eq!(id(&path), second);
    // Written into the same file: the log ends before what was noted of it.
    grow(&path, 3);
    fs::write(&path, fs::read(&copy).unwrap()).unwrap();
    assert_ne!(id(&path), second);
}

#[test]
fn a_log_that_was_imported_or_has_lost_its_id_is_another_log() {
    let (folder, path) = log_of(2);
    let first = id(&path);
    let mut lines = Vec::new();
    export(&compartment_log_sqlite::Reader::open(&path).unwrap(), &mut lines, &mut unwatched).unwrap();
    let again = folder.path().join("again");
    import(&mut &lines[..], &again, &mut unwatched).unwrap();
    assert_ne!(id(&again), first);
    for nonsense in ["", "nonsense", "{\"id\":\"x\",\"file\":\"1-1\",\"position\":0,\"hash\":\"0\"}"] {
        let before = id(&path);
        fs::write(folder.path().join("log.sqlite.id"), nonsense).unwrap();
        assert_ne!(id(&path), before);
    }
}

/// The ids of the automatic tests that a host has run.
fn tests(hosts: &MemoryHosts) -> Vec<OpId> {
    let operations = hosts.operations(&host("gpc0")).into_keys();
    operations.filter(|op| op.as_str().starts_with("auto-test-")).collect()
}

async fn until(so: impl Fn() -> bool) {
    let all = async {
        while !so() {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(30), all).await.unwrap();
}

#[tokio::test]
async fn tests_that_were_due_in_a_backup_run_once_more_after_its_restore() {
    let (folder, path) = place();
    let copy = folder.path().join("copy");
    let clock = Arc::new(SystemClock::default());
    let hosts = Arc::new(MemoryHosts::new(clock, [host("gpc0")], commit('a'), lock('a')));
    let start = async || {
        let log = Arc::new(SqliteLog::open(&path).unwrap());
        let transports: Vec<Arc<dyn compartment_runtime::Transport>> =
            vec![Arc::<MemoryHosts>::clone(&hosts)];
        Hub::start(Ports { transports, ..Ports::new(log) }, Config::default()).await.unwrap()
    };
    // Given tests that are due, and a backup.
    let hub = start().await;
    hub.configure(host("gpc0"), Configuration::default()).await.unwrap();
    hosts.reach(&host("gpc0"), false);
    let switched = Said::DeployOk {
        kind: Deployer::Switch,
        commit: Some(commit('a')),
        lock_hash: None,
        dirty: None,
        system: None,
    };
    hub.report(vec![Report::new(host("gpc0"), switched)]).await.unwrap();
    backup(&path, &copy, &mut unwatched).unwrap();
    // When they have run, and after that the backup is restored.
    hosts.reach(&host("gpc0"), true);
    until(|| tests(&hosts).len() == 1).await;
    hub.shutdown().await;
    // A crash in between would have made no other run of it.
    let hub = start().await;
    hub.shutdown().await;
    assert_eq!(tests(&hosts).len(), 1);
    fs::remove_file(&path).unwrap();
    fs::copy(&copy, &path).unwrap();
    drop(fs::remove_file(folder.path().join("log.sqlite.snapshot")));
    let hub = start().await;
    // Then the host, which knows the first run, carries out another.
    until(|| tests(&hosts).len() == 2).await;
    hub.shutdown().await;
}
