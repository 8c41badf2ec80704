//! The transport, the log and the forge of the lessons pass the suites of their ports.

use std::fs;
use std::path::PathBuf;
use std::sync::Arc;

use async_trait::async_trait;
use compartment_core::testing::commit;
use compartment_core::{Commit, HostId, LockFile, OpId, Timestamp};
use compartment_runtime::hub::SystemClock;
use compartment_runtime::testing::{forges, logs, transports};
use compartment_runtime::{Clock, EventLog, Forge, Transport};
use futures::FutureExt;
use tempfile::TempDir;
use tokio::sync::watch;

use super::host;
use super::own_forge::DesiredFile;
use super::own_log::FileLog;
use super::own_transport::{Host, Lines};

struct Way {
    publish: watch::Sender<Option<Commit>>,
    host: Arc<Host>,
    way: Arc<Lines>,
}

#[async_trait]
impl transports::Fixture for Way {
    fn transport(&self) -> Arc<dyn Transport> {
        Arc::<Lines>::clone(&self.way)
    }

    fn host(&self) -> HostId {
        self.host.id.clone()
    }

    fn now(&self) -> Timestamp {
        SystemClock::default().wall()
    }

    async fn connect(&self, connected: bool) {
        self.host.cut_off(!connected);
    }

    fn hang(&self, hang: bool) {
        self.publish.send_replace((!hang).then(|| commit('a')));
    }

    fn carried_out(&self, op: &OpId) -> u32 {
        self.host.has_begun(op).into()
    }
}

#[tokio::test]
async fn the_transport_passes() {
    transports::check_all(|| {
        let (publish, published) = watch::channel(Some(commit('a')));
        let host = Arc::new(Host::new(host("gpc0"), published).unwrap());
        Way { publish, way: Arc::new(Lines::new(Arc::clone(&host))), host }
    })
    .await;
}

struct Folder(TempDir);

impl logs::Storage for Folder {
    fn open(&self) -> Arc<dyn EventLog> {
        // It waits for the disk, and for nothing else.
        Arc::new(FileLog::open(self.0.path()).now_or_never().unwrap().unwrap())
    }
}

#[tokio::test]
async fn the_log_passes() {
    logs::check_all(|| Folder(tempfile::tempdir().unwrap())).await;
}

#[tokio::test]
async fn the_log_is_one_writers() {
    let folder = tempfile::tempdir().unwrap();
    let first = FileLog::open(folder.path()).await.unwrap();
    assert!(FileLog::open(folder.path()).await.is_err(), "two write it");
    first.close().await.unwrap();
    FileLog::open(folder.path()).await.unwrap();
}

struct Published(TempDir);

impl Published {
    fn file(&self) -> PathBuf {
        self.0.path().join("desired")
    }
}

#[async_trait]
impl forges::Source for Published {
    async fn forge(&self) -> Arc<dyn Forge> {
        Arc::new(DesiredFile(self.file()))
    }

    async fn publish(&self, commit: &Commit, lock: LockFile) {
        let lock = lock.hash().map_or("none".to_owned(), |hash| hash.to_string());
        fs::write(self.file(), format!("{commit} {lock}\n")).unwrap();
    }

    async fn present(&self, present: bool) {
        let away = self.0.path().join("away");
        let (from, to) = if present { (away, self.file()) } else { (self.file(), away) };
        fs::rename(from, to).unwrap();
    }
}

#[tokio::test]
async fn the_forge_passes() {
    forges::check_looks(async || Published(tempfile::tempdir().unwrap())).await;
}
