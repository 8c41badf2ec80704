//! A hub as it is installed, that tests kill and start again.

use std::fs::{self, File};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

const PROGRAM: &str = env!("CARGO_BIN_EXE_compartment");

/// How long an answer may take; each needs a moment.
pub(crate) const LIMIT: Duration = Duration::from_secs(60);

pub(crate) fn program(top: &Path, args: &[&str]) -> Command {
    let mut command = Command::new(PROGRAM);
    command.args(args).current_dir(top).env("HOME", top).stdin(Stdio::null());
    command
}

/// Makes the tokens of an operator and of a host.
pub(crate) fn tokens(top: &Path) {
    for (role, name) in [("--operator", "mba"), ("--host", "gpc0")] {
        let out = format!("{name}.token");
        let made = program(top, &["hub", "token", "add", "--data", "data", role, name, "--out", &out])
            .output()
            .unwrap();
        assert!(made.status.success(), "{made:?}");
    }
}

/// A hub that runs, and is killed when this is dropped.
pub(crate) struct Hub {
    child: Child,
    pub(crate) address: String,
    pub(crate) top: PathBuf,
}

impl Hub {
    pub(crate) fn start(top: &Path, more: &[&str]) -> Self {
        let mut hub = program(top, &[&["hub", "--data", "data", "--listen", "127.0.0.1:0"], more].concat());
        hub.stdout(Stdio::piped()).stderr(File::create(top.join("hub.log")).unwrap());
        let mut child = hub.spawn().unwrap();
        let line = BufReader::new(child.stdout.take().unwrap()).lines().next().unwrap().unwrap();
        let address =
            line.split([' ', ',']).find_map(|word| word.strip_prefix("http://")).unwrap().to_owned();
        Self { child, address, top: top.to_owned() }
    }

    /// Somebody with a token sends something. Gives the status.
    pub(crate) fn post(&self, token: &str, path: &str, body: &str) -> String {
        let token = fs::read_to_string(self.top.join(token)).unwrap();
        let mut stream = TcpStream::connect(&self.address).unwrap();
        stream.set_read_timeout(Some(LIMIT)).unwrap();
        let head = format!(
            "POST {path} HTTP/1.1\r\nHost: hub\r\nAuthorization: Bearer {}\r\nContent-Type: application/json\r\n\
             Content-Length: {}\r\nConnection: close\r\n\r\n",
            token.trim(),
            body.len()
        );
        stream.write_all((head + body).as_bytes()).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        answer.split(' ').nth(1).unwrap().to_owned()
    }
}

impl Drop for Hub {
    fn drop(&mut self) {
        // As a power cut would: nothing is put in order.
        let _gone = self.child.kill();
        let _gone = self.child.wait();
    }
}
