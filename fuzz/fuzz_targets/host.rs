//! What an agent reads from its disk, and what becomes of what programs print, as it is in the agent: built by itself, as
//! the whole agent would take minutes here.

#[path = "../../compartment-transport-http/src/agent/config.rs"]
#[expect(dead_code, reason = "the rest is the agent's")]
mod config;
#[path = "../../compartment-transport-http/src/agent/spool/entry.rs"]
#[expect(dead_code, reason = "the rest is the spool's")]
mod entry;
#[path = "../../compartment-local/src/operation/files.rs"]
#[expect(dead_code, reason = "the rest is the supervisor's")]
mod files;
#[path = "../../compartment-local/src/operation/output.rs"]
#[expect(dead_code, reason = "the rest is the supervisor's")]
mod output;

use std::cell::RefCell;
use std::fmt::Debug;
use std::fs;
use std::io::Write;
use std::path::Path;

use compartment_core::Text;
pub use config::Config;
use entry::Running;
use output::{Log, Stream};
use serde::Serialize;
use serde::de::DeserializeOwned;

/// Settings in a file of this folder.
pub fn settings(text: &str, folder: &Path) -> Result<Config, String> {
    Config::parse(text, folder)
}

/// A file in the folder of an operation. What is in it stays in it.
pub fn filed<T: DeserializeOwned + Serialize + PartialEq + Debug>(data: &[u8]) -> Option<T> {
    let content: T = files::decode("it", data).ok()?;
    let written = files::encode(&content).expect("what was read can be written");
    match files::decode::<T>("it", &written) {
        Ok(again) => assert_eq!(again, content, "{}", String::from_utf8_lossy(&written)),
        Err(error) => panic!("{error}: {}", String::from_utf8_lossy(&written)),
    }
    Some(content)
}

/// What the spool knows of the operation that runs.
pub fn running(text: &str) {
    let Ok(running) = serde_json::from_str::<Running>(text) else { return };
    let written = serde_json::to_string(&running).expect("what was read can be written");
    match serde_json::from_str::<Running>(&written) {
        Ok(again) => assert_eq!(again, running, "{written}"),
        Err(error) => panic!("{error}: {written}"),
    }
}

/// What a program prints, so many bytes at a time: what is kept of it, and its last words.
pub fn printed(data: &[u8], at_once: usize) -> (Vec<u8>, Text) {
    kept(|log| {
        let log = RefCell::new(log);
        let mut stream = Stream::new(&log);
        data.chunks(at_once).for_each(|part| stream.write_all(part).expect("it takes everything"));
        stream.end();
        log.into_inner().last_words()
    })
}

/// What is kept of a program's beginning.
pub fn begun(argv: &[String]) -> Vec<u8> {
    kept(|mut log| log.begin(argv)).0
}

fn kept<T>(write: impl FnOnce(Log) -> T) -> (Vec<u8>, T) {
    let folder = std::env::temp_dir().join(format!("compartment-fuzz-{}", std::process::id()));
    fs::create_dir_all(&folder).expect("a temporary folder can be made");
    let written = write(Log::create(&folder));
    let file = fs::read(folder.join(files::OUTPUT)).expect("it is there");
    fs::remove_dir_all(&folder).expect("and then it is not");
    (file, written)
}
