//! A fleet: a config repository, a hub, and hosts.

use std::collections::BTreeMap;
use std::fs;
use std::net::SocketAddr;
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use compartment_core::event::{Observation, TestsConfig, Via};
use compartment_core::operation::{End, Ending, Outcome, Progress};
use compartment_core::{
    Ask, ChannelName, Compartment, Fleet as State, HostId, LockHash, OpId, ReadOptions, Record, Request, Row,
    Timestamp,
};
use compartment_runtime::hub::{Accepted, Configuration, Hub, RequestError};
use compartment_runtime::{Clock, write_private};
use compartment_transport_http::server::access::{Access, Grant, Role, Token};
use futures::TryStreamExt;
use serde_json::Value;
use sha2::{Digest, Sha256};
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::clock::ShiftedClock;
use crate::machine::{Agent, LIMIT, Machine, Repository};
use crate::proxy::Proxy;
use crate::served::Served;

/// Who watches, and waits for what is to come.
const LOOK_EVERY: Duration = Duration::from_millis(10);

pub(crate) struct Fleet {
    pub(crate) repository: Repository,
    pub(crate) clock: Arc<ShiftedClock>,
    folder: TempDir,
    access: Arc<Access>,
    tokens: BTreeMap<String, String>,
    address: SocketAddr,
    served: Option<Served>,
}

pub(crate) fn host(name: &str) -> HostId {
    HostId::new(name).unwrap()
}

pub(crate) fn op(id: &str) -> OpId {
    OpId::new(id).unwrap()
}

pub(crate) fn pull(name: &str) -> Ask {
    Ask::Pull { host: host(name) }
}

pub(crate) fn switch(name: &str) -> Ask {
    Ask::Switch { host: host(name), force: false }
}

pub(crate) fn rollback(name: &str) -> Ask {
    Ask::Rollback { host: host(name), to: None }
}

/// A token for each host.
pub(crate) fn access(hosts: &[&str], now: Timestamp) -> (Arc<Access>, BTreeMap<String, String>) {
    let (mut grants, mut tokens) = (Vec::new(), BTreeMap::new());
    for name in hosts {
        let token = Token::generate().unwrap();
        let grant = Grant::new(&token, Role::Host(host(name)), name.parse().unwrap(), now);
        tokens.insert((*name).to_owned(), token.reveal());
        grants.push((token, grant));
    }
    (Arc::new(Access::in_memory(grants)), tokens)
}

impl Fleet {
    /// Hosts that a hub knows, and of which none has been heard. Nobody tests there.
    pub(crate) async fn of(hosts: &[&str]) -> Self {
        Self::with_clock(hosts, ShiftedClock::ahead(0)).await
    }

    pub(crate) async fn with_clock(hosts: &[&str], clock: ShiftedClock) -> Self {
        let (access, tokens) = access(hosts, clock.wall());
        let mut this = Self {
            repository: Repository::new(),
            clock: Arc::new(clock),
            folder: TempDir::new().unwrap(),
            access,
            tokens,
            address: ([127, 0, 0, 1], 0).into(),
            served: None,
        };
        this.start().await;
        for name in hosts {
            this.tests(name, false).await;
        }
        this.look().await;
        this
    }

    /// Starts the hub, again where it was killed.
    pub(crate) async fn start(&mut self) {
        let log = self.folder.path().join("log.sqlite");
        let (access, clock) = (Arc::clone(&self.access), Arc::clone(&self.clock));
        let (served, address) = Served::start(&log, self.address, access, clock).await;
        (self.served, self.address) = (Some(served), address);
    }

    /// Kills the hub.
    pub(crate) fn crash(&mut self) {
        drop(self.served.take().unwrap());
    }

    pub(crate) fn hub(&self) -> &Hub {
        &self.served.as_ref().unwrap().hub
    }

    /// A way to the hub that can be cut; it ends with this hub.
    pub(crate) fn proxy(&self) -> Proxy {
        Proxy::start(self.served.as_ref().unwrap().handle(), self.address)
    }

    /// Whether tests run on a host after it was deployed to.
    pub(crate) async fn tests(&self, name: &str, enabled: bool) {
        let tests = TestsConfig { enabled, auto_run: enabled, each_timeout_s: 60 };
        self.hub().configure(host(name), Configuration { tests, ..Configuration::default() }).await.unwrap();
    }

    /// The hub looks at the repository; where that is.
    async fn look(&self) -> String {
        let git = |args: &[&str]| {
            let done = Command::new("git").arg("-C").arg(self.repository.path()).args(args).output().unwrap();
            String::from_utf8(done.stdout).unwrap().trim().to_owned()
        };
        let commit = git(&["rev-parse", "HEAD"]);
        let lock = Sha256::digest(fs::read(self.repository.path().join("flake.lock")).unwrap());
        let lock: String = lock.iter().map(|byte| format!("{byte:02x}")).collect();
        let desired = Observation::DesiredObserved {
            channel: ChannelName::main(),
            commit: commit.parse().unwrap(),
            lock_hash: Some(LockHash::new(&lock).unwrap().into()),
            via: Via::Git,
            look_started: None,
        };
        self.hub().observe(vec![desired]).await.unwrap();
        commit
    }

    /// The desired state moves on; where to.
    pub(crate) async fn moves(&self, lock: &str) -> String {
        self.repository.commit(lock);
        self.look().await
    }

    /// A host whose checkout and system are the desired ones, as generation 1.
    pub(crate) fn machine(&self, name: &str) -> Machine {
        let mut machine = Machine::new(name, &self.repository);
        machine.hub = format!("http://{}", self.address);
        write_private(&machine.at("token"), &self.tokens[name]).unwrap();
        fs::write(machine.at("host.sh"), include_str!("host.sh")).unwrap();
        machine.commands = format!("rollback = [['{}', '{{number}}']]", machine.text("rollback"));
        machine.does("switch", "deploy");
        machine.does("rollback", "back \"$1\"");
        machine.begins_at(1);
        machine
    }

    /// Starts an agent, and waits until it was heard.
    pub(crate) async fn agent(&self, machine: &Machine) -> Agent {
        let (agent, since) = (machine.start(), self.hub().now());
        self.heard(&machine.host, since).await;
        agent
    }

    /// Waits until a host is heard from then on.
    pub(crate) async fn heard(&self, name: &str, since: Timestamp) {
        let name = host(name);
        self.until("a word of the host", |state, _| {
            state.host(&name).and_then(|host| host.last_heard()).filter(|heard| *heard >= since)
        })
        .await;
    }

    /// A host says something, without an agent.
    pub(crate) async fn says(&self, name: &str, lines: &str) {
        let mut line = tokio::net::TcpStream::connect(self.address).await.unwrap();
        let request = format!(
            "POST /v1/hosts/{name}/events HTTP/1.1\r\nhost: hub\r\nconnection: close\r\n\
             authorization: Bearer {}\r\ncontent-type: application/x-ndjson\r\ncontent-length: {}\r\n\r\n{lines}",
            self.tokens[name],
            lines.len(),
        );
        line.write_all(request.as_bytes()).await.unwrap();
        let mut answer = String::new();
        tokio::time::timeout(LIMIT, line.read_to_string(&mut answer)).await.unwrap().unwrap();
        assert!(answer.starts_with("HTTP/1.1 200") && answer.contains("\"refused\":[]"), "{answer}");
    }

    pub(crate) async fn ask(&self, id: &str, ask: Ask) -> Result<Accepted, RequestError> {
        let request = Request { op: op(id), by: "mba".parse().unwrap(), ask, deliver_by: None };
        self.hub().request(request).await
    }

    /// Asks for an operation that nothing speaks against.
    pub(crate) async fn order(&self, id: &str, ask: Ask) {
        self.ask(id, ask).await.unwrap();
    }

    /// Asks for an operation, and waits for its end.
    pub(crate) async fn done(&self, id: &str, ask: Ask) -> End {
        let name = ask.host().unwrap().clone();
        self.order(id, ask).await;
        self.end(name.as_str(), id).await
    }

    /// How an operation ends.
    pub(crate) async fn end(&self, name: &str, id: &str) -> End {
        self.ending(name, id).await.end
    }

    /// How an operation ends, and what is said of it.
    pub(crate) async fn ending(&self, name: &str, id: &str) -> Ending {
        let ending = tokio::time::timeout(LIMIT, self.hub().ended(host(name), op(id))).await;
        ending.expect("it never ends").unwrap()
    }

    /// What the state remembers of an operation that has ended.
    pub(crate) fn outcome(&self, name: &str, id: &str) -> Outcome {
        let (name, id) = (host(name), op(id));
        let outcome = self.hub().read(|state, _| state.host(&name)?.operations().progress(&id)?.outcome());
        outcome.unwrap().unwrap()
    }

    /// Waits until an operation has ended like this, where it may have ended otherwise before.
    pub(crate) async fn ends(&self, name: &str, id: &str, how: Outcome) {
        let (name, id) = (host(name), op(id));
        self.until("another end", |state, _| {
            let progress = state.host(&name)?.operations().progress(&id)?;
            (progress.outcome().as_ref() == Some(&how)).then_some(())
        })
        .await;
    }

    /// Waits until an operation has begun.
    pub(crate) async fn begun(&self, name: &str, id: &str) {
        let (name, id) = (host(name), op(id));
        self.until("its start", |state, _| {
            let progress = state.host(&name)?.operations().progress(&id)?;
            matches!(progress, Progress::Started(_) | Progress::Ended(_)).then_some(())
        })
        .await;
    }

    /// Waits until something is so.
    pub(crate) async fn until<T>(&self, what: &str, is_so: impl Fn(&State, Timestamp) -> Option<T>) -> T {
        let until = async {
            loop {
                if let Some(found) = self.hub().read(&is_so).unwrap() {
                    return found;
                }
                tokio::time::sleep(LOOK_EVERY).await;
            }
        };
        match tokio::time::timeout(LIMIT, until).await {
            Ok(found) => found,
            Err(_) => {
                let log: Vec<_> = self.log().await.iter().map(Value::to_string).collect();
                panic!("never came: {what}; {:#?}", log);
            }
        }
    }

    pub(crate) fn row(&self, name: &str) -> Row {
        self.hub().row(&host(name), &ReadOptions::default()).unwrap()
    }

    /// What a cell shows: `yellow differs G8`.
    pub(crate) fn cell(&self, name: &str, cell: Compartment) -> String {
        shown(&self.row(name), cell)
    }

    /// Waits until a cell shows this.
    pub(crate) async fn shows(&self, name: &str, cell: Compartment, what: &str) {
        let name = host(name);
        let options = ReadOptions::default();
        self.until(&format!("{cell}: {what}"), |state, now| {
            (shown(&state.row(&name, now, &options)?, cell) == what).then_some(())
        })
        .await;
    }

    async fn records(&self) -> Vec<Record> {
        self.hub().events(1, None).unwrap().try_collect().await.unwrap()
    }

    /// Where the log ends.
    pub(crate) fn position(&self) -> u64 {
        self.hub().health().unwrap().position
    }

    /// What a cell has shown since a position of the log, event by event.
    pub(crate) async fn story(&self, name: &str, cell: Compartment, since: u64) -> Vec<String> {
        let (mut state, mut story) = (State::new(), Vec::new());
        for record in self.records().await {
            state.apply(&record);
            if record.position >= since
                && let Some(row) = state.row(&host(name), record.at, &ReadOptions::default())
            {
                story.push(shown(&row, cell));
            }
        }
        story.dedup();
        story
    }

    /// The log, as it is written.
    pub(crate) async fn log(&self) -> Vec<Value> {
        let records = self.records().await;
        records.iter().map(|record| serde_json::from_str(&record.to_line()).unwrap()).collect()
    }

    /// The types of all events of an operation, in order.
    pub(crate) async fn said(&self, id: &str) -> Vec<String> {
        let log = self.log().await;
        let of = log.iter().filter(|event| event["op"] == id);
        of.map(|event| event["type"].as_str().unwrap().to_owned()).collect()
    }

    /// The event of this type of an operation.
    pub(crate) async fn event(&self, id: &str, name: &str) -> Value {
        let log = self.log().await;
        log.into_iter().find(|event| event["op"] == id && event["type"] == name).unwrap()
    }
}

fn shown(row: &Row, cell: Compartment) -> String {
    let cell = row.cells.get(cell);
    format!("{} {} {}", cell.status.color(), cell.reason, cell.rule)
}

impl Machine {
    /// A script that knows how to deploy.
    pub(crate) fn does(&self, name: &str, what: &str) {
        self.script(name, &format!(". ./host.sh\n{what}"));
    }

    /// What runs is the checkout, as this generation.
    pub(crate) fn begins_at(&self, number: u32) {
        fs::write(self.at("generations"), (number - 1).to_string()).unwrap();
        let done = Command::new("sh").args(["-ec", ". ./host.sh; deploy"]).current_dir(self.at("")).status();
        assert!(done.unwrap().success());
    }

    /// Says to a script that it may go on.
    pub(crate) fn go(&self) {
        fs::write(self.at("go"), "").unwrap();
    }
}
