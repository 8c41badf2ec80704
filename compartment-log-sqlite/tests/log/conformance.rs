//! What every log must do.

use std::path::PathBuf;
use std::sync::Arc;

use compartment_core::testing::any_history;
use compartment_log_sqlite::SqliteLog;
use compartment_runtime::EventLog;
use compartment_runtime::testing::logs::{self, Storage};
use futures::executor::block_on;
use proptest::prelude::*;
use tempfile::TempDir;

use crate::common::{place, verified};

struct Folder {
    path: PathBuf,
    _folder: TempDir,
}

impl Folder {
    fn new() -> Self {
        let (folder, path) = place();
        Self { path, _folder: folder }
    }
}

impl Storage for Folder {
    fn open(&self) -> Arc<dyn EventLog> {
        Arc::new(SqliteLog::open(&self.path).unwrap())
    }
}

#[test]
fn it_does_what_every_log_must_do_and_needs_no_runtime() {
    block_on(logs::check_all(Folder::new));
}

#[test]
fn the_log_in_memory_does_it_too() {
    struct Memory(compartment_runtime::hub::MemoryLog);
    impl Storage for Memory {
        fn open(&self) -> Arc<dyn EventLog> {
            Arc::new(self.0.reopen())
        }
    }
    block_on(logs::check_all(|| Memory(compartment_runtime::hub::MemoryLog::default())));
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 32, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_history_comes_back_as_it_was(
        history in any_history(60),
        sizes in proptest::collection::vec(1_usize..12, 8),
    ) {
        let folder = Folder::new();
        block_on(logs::a_history_comes_back_as_it_was(&folder, &history, &sizes));
        prop_assert_eq!(verified(&folder.path).unwrap().records, history.len() as u64);
    }
}
