//! The log of `own_log.rs`. Everything in its file is in memory, too, and that answers all questions.

use std::error::Error;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

use async_trait::async_trait;
use compartment_core::{Record, ndjson};
use compartment_runtime::hub::MemoryLog;
use compartment_runtime::{EventLog, Head, Heard, LogError, LogId, StoredSnapshot, replace, sync_folder};
use futures::stream::BoxStream;
use tokio::sync::Mutex;

/// The log in a folder, open for writing.
pub struct FileLog {
    folder: PathBuf,
    id: LogId,
    memory: MemoryLog,
    file: Mutex<File>,
}

impl FileLog {
    /// Opens the log in a folder. It is locked: another process cannot write it meanwhile.
    pub async fn open(folder: &Path) -> Result<Self, Box<dyn Error>> {
        let (at, id) = (folder.join("log.ndjson"), folder.join("id"));
        let mut file = OpenOptions::new().read(true).append(true).create(true).open(&at)?;
        file.try_lock()?;
        if !id.exists() {
            replace(&id, |file| file.write_all(LogId::random().as_str().as_bytes()))?;
        }
        let (id, memory, mut bytes) = (fs::read_to_string(id)?, MemoryLog::default(), Vec::new());
        file.read_to_end(&mut bytes)?;
        // An empty line ends a batch. What stands behind the last one was never acknowledged.
        let end = bytes.windows(2).rposition(|two| two == b"\n\n").map_or(0, |at| at + 2);
        file.set_len(u64::try_from(end)?)?;
        sync_folder(&at)?;
        let lines = bytes[..end].split(|byte| *byte == b'\n').filter(|line| !line.is_empty());
        let record = |(position, line)| ndjson::decode(line)?.record(position);
        let records: Vec<Record> = (1..).zip(lines).map(record).collect::<Result<_, _>>()?;
        memory.append(&records).await?;
        if let Ok(heard) = fs::read(folder.join("heard")) {
            memory.save_heard(&serde_json::from_slice::<Vec<_>>(&heard)?).await?;
        }
        if let Ok(kept) = fs::read(folder.join("snapshot"))
            && let Ok((position, fold_version, state)) = serde_json::from_slice(&kept)
        {
            memory.save_snapshot(StoredSnapshot { position, fold_version, state }).await?;
        }
        Ok(Self { folder: folder.to_owned(), id: LogId::new(&id)?, memory, file: Mutex::new(file) })
    }

    fn keep(&self, name: &str, bytes: serde_json::Result<Vec<u8>>) -> Result<(), LogError> {
        let kept = bytes.map_err(io::Error::from);
        let kept = kept.and_then(|bytes| replace(&self.folder.join(name), |file| file.write_all(&bytes)));
        kept.map_err(|error| LogError::Storage(error.to_string()))
    }
}

#[async_trait]
impl EventLog for FileLog {
    fn id(&self) -> LogId {
        self.id.clone()
    }

    async fn head(&self) -> Result<Head, LogError> {
        self.memory.head().await
    }

    async fn append(&self, records: &[Record]) -> Result<(), LogError> {
        let mut file = self.file.lock().await;
        let head = self.memory.head().await?;
        let (mut last, mut at) = (head.position, head.at);
        for Record { position: got, at: recorded, .. } in records {
            if *got != last + 1 || *recorded < at {
                return Err(LogError::OutOfOrder { last: head.position, got: *got });
            }
            (last, at) = (*got, *recorded);
        }
        let lines: String = records.iter().map(|record| record.to_line() + "\n").collect();
        // Durable first. This holds up the thread: a program that has more to do takes `spawn_blocking`.
        let written = if lines.is_empty() { Ok(()) } else { file.write_all((lines + "\n").as_bytes()) };
        if let Err(error) = written.and_then(|()| file.sync_data()) {
            // Nobody knows what is in the file now, until it is opened again.
            self.memory.close().await?;
            return Err(LogError::Storage(error.to_string()));
        }
        self.memory.append(records).await
    }

    fn read(&self, from: u64, to: u64) -> BoxStream<'static, Result<Vec<Record>, LogError>> {
        self.memory.read(from, to)
    }

    async fn save_snapshot(&self, snapshot: StoredSnapshot) -> Result<(), LogError> {
        self.memory.save_snapshot(snapshot.clone()).await?;
        self.keep("snapshot", serde_json::to_vec(&(snapshot.position, snapshot.fold_version, snapshot.state)))
    }

    async fn snapshot(&self, fold_version: u32) -> Result<Option<StoredSnapshot>, LogError> {
        self.memory.snapshot(fold_version).await
    }

    async fn save_heard(&self, heard: &[Heard]) -> Result<(), LogError> {
        self.memory.save_heard(heard).await?;
        self.keep("heard", serde_json::to_vec(&self.memory.heard().await?))
    }

    async fn heard(&self) -> Result<Vec<Heard>, LogError> {
        self.memory.heard().await
    }

    async fn close(&self) -> Result<(), LogError> {
        self.memory.close().await?;
        self.file.lock().await.unlock().map_err(|error| LogError::Storage(error.to_string()))
    }
}
