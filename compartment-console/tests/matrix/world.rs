//! A hub behind a real socket, agents that play, and the program beside them.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::Duration;

use axum::Router;
use clap::Parser;
use compartment_console::{Cli, Completion, MatrixError, Screen, Terminal, Why, Within, run};
use compartment_core::event::{Observation, TestsConfig, Via};
use compartment_core::sync::Cursor;
use compartment_core::{AuditEntry, ChannelName, Commit, HostId, LockHash, Span, Timestamp};
use compartment_local::run::Stop;
use compartment_runtime::hub::{AuditQuery, Config, Configuration, Hub, MemoryLog, Ports, SystemClock};
use compartment_runtime::testing::faults::FaultyLog;
use compartment_runtime::{Clock, Forge};
use compartment_transport_http::client::{Connection, Endpoint, Received, Token as Secret, TokenSource};
use compartment_transport_http::server::access::{Access, Grant, Role, Token};
use compartment_transport_http::server::{Agents, AgentsConfig, router};
use compartment_transport_http::wire::orders::OrderLine;
use compartment_transport_http::wire::output::Printed;
use futures::{StreamExt, TryStreamExt};
use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::Runtime;
use tokio::sync::watch;

use super::shared::{LIMIT, Shared};

pub(crate) const HOSTS: [&str; 4] = ["gpc0", "gpc1", "gpc2", "gpc3"];

pub(crate) fn host(name: &str) -> HostId {
    HostId::new(name).unwrap()
}

pub(crate) fn commit(digit: char) -> Commit {
    Commit::new(&digit.to_string().repeat(40)).unwrap()
}

pub(crate) fn lock(digit: char) -> LockHash {
    LockHash::new(&digit.to_string().repeat(64)).unwrap()
}

/// A heartbeat of a host whose checkout and system are of a commit.
pub(crate) fn heartbeat(name: &str, digit: char, number: u32) -> String {
    let (commit, lock) = (digit.to_string().repeat(40), digit.to_string().repeat(64));
    format!(
        r#"{{"host":"{name}","type":"heartbeat","commit":"{commit}","lock_hash":"{lock}","dirty":false,"system":{{"path":"/nix/store/{digit}-system","number":{number},"commit":"{commit}"}}}}"#
    )
}

/// A hub's clock that can be set ahead.
#[derive(Debug, Default)]
pub(crate) struct Ahead {
    real: SystemClock,
    by: Mutex<u64>,
}

impl Ahead {
    pub(crate) fn set(&self, minutes: u64) {
        *self.by.lock().unwrap() = minutes;
    }
}

#[async_trait::async_trait]
impl Clock for Ahead {
    fn wall(&self) -> Timestamp {
        self.real.wall() + Span::from_mins(*self.by.lock().unwrap())
    }

    fn elapsed(&self) -> Span {
        let ahead = Span::from_mins(*self.by.lock().unwrap());
        Span::from_millis(self.real.elapsed().as_millis() + ahead.as_millis())
    }

    async fn sleep(&self, span: Span) {
        self.real.sleep(span).await;
    }
}

pub(crate) struct World {
    pub(crate) runtime: Runtime,
    pub(crate) hub: Hub,
    pub(crate) clock: Arc<Ahead>,
    pub(crate) address: SocketAddr,
    pub(crate) operator: String,
    /// The disk under the hub.
    pub(crate) log: Arc<FaultyLog>,
    storage: MemoryLog,
    access: Arc<Access>,
    tokens: Vec<(&'static str, String)>,
    serving: tokio::task::JoinHandle<()>,
}

fn tokens() -> (Arc<Access>, Vec<(&'static str, String)>, String) {
    let now = SystemClock::default().wall();
    let mut all = Vec::new();
    let mut issue = |role: Role, name: &str| {
        let token = Token::generate().unwrap();
        let (text, grant) = (token.reveal(), Grant::new(&token, role, name.parse().unwrap(), now));
        all.push((token, grant));
        text
    };
    let operator = issue(Role::Operator, "mba");
    let hosts = HOSTS.map(|name| (name, issue(Role::Host(host(name)), name))).to_vec();
    (Arc::new(Access::in_memory(all)), hosts, operator)
}

impl World {
    /// The token of a host.
    pub(crate) fn token(&self, name: &str) -> &str {
        &self.tokens.iter().find(|(of, _)| *of == name).unwrap().1
    }

    pub(crate) fn new() -> Self {
        Self::with(None, |router| router)
    }

    /// With a repository that merges, and something in front of the server.
    pub(crate) fn with(forge: Option<Arc<dyn Forge>>, front: impl FnOnce(Router) -> Router) -> Self {
        let this = Self::without_hosts(forge, front);
        this.desired('a');
        for name in HOSTS {
            let tests = TestsConfig { auto_run: false, ..TestsConfig::default() };
            let configuration = Configuration { tests, ..Configuration::default() };
            this.wait(this.hub.configure(host(name), configuration)).unwrap();
        }
        this
    }

    /// A hub that knows nobody.
    pub(crate) fn empty() -> Self {
        Self::without_hosts(None, |router| router)
    }

    fn without_hosts(forge: Option<Arc<dyn Forge>>, front: impl FnOnce(Router) -> Router) -> Self {
        let runtime =
            tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
        let (access, tokens, operator) = tokens();
        let (storage, clock) = (MemoryLog::default(), Arc::new(Ahead::default()));
        let log = Arc::new(FaultyLog::new(Arc::new(storage.reopen())));
        let (hub, router) = runtime.block_on(start(&log, &clock, &access, forge));
        let (address, serving) = runtime.block_on(serve(front(router), ([127, 0, 0, 1], 0).into()));
        Self { runtime, hub, clock, address, operator, log, storage, access, tokens, serving }
    }

    /// The tip of the repository is seen.
    pub(crate) fn desired(&self, digit: char) {
        self.see(Observation::DesiredObserved {
            channel: ChannelName::main(),
            commit: commit(digit),
            lock_hash: Some(lock(digit).into()),
            via: Via::Git,
            look_started: None,
        });
    }

    pub(crate) fn see(&self, seen: Observation) {
        self.wait(self.hub.observe(vec![seen])).unwrap();
    }

    pub(crate) fn wait<T>(&self, what: impl Future<Output = T>) -> T {
        self.runtime.block_on(async { tokio::time::timeout(LIMIT, what).await.expect("this hangs") })
    }

    /// The hub stops, and nothing listens any more.
    pub(crate) fn go_away(&self) {
        self.serving.abort();
        self.wait(self.hub.shutdown());
        self.wait(self.hub.stopped());
    }

    /// The hub starts again, over the same log and at the same address.
    pub(crate) fn come_back(&mut self) {
        self.log = Arc::new(FaultyLog::new(Arc::new(self.storage.reopen())));
        let (hub, router) = self.runtime.block_on(start(&self.log, &self.clock, &self.access, None));
        self.hub = hub;
        self.serving = self.runtime.block_on(serve(router, self.address)).1;
    }

    /// A way to the hub that can be cut.
    pub(crate) fn proxy(&self) -> Proxy {
        self.runtime.block_on(Proxy::start(self.address))
    }

    /// The place in the live updates.
    pub(crate) fn place(&self) -> Cursor {
        self.wait(async { self.hub.subscribe().unwrap().next().await.unwrap().cursor() })
    }

    fn connection(&self, name: &str) -> Connection {
        let token = self.token(name);
        let token = TokenSource::Given(Secret::new(token).unwrap());
        Connection::new(Endpoint::new(&format!("http://{}", self.address), token).unwrap()).unwrap()
    }

    /// A host reports.
    pub(crate) fn says(&self, name: &str, line: &str) {
        let (connection, session) = (self.connection(name), "s".parse().unwrap());
        let taken = self.wait(connection.report(&host(name), &session, line.as_bytes().to_vec())).unwrap();
        assert_eq!(taken.refused, [], "{line}");
    }

    /// An agent that does for each order what `play` says.
    pub(crate) fn agent(&self, name: &'static str, play: impl Fn(&OrderLine) -> Vec<Act> + Send + 'static) {
        let connection = self.connection(name);
        self.runtime.spawn(async move {
            let (of, session) = (host(name), "s".parse().unwrap());
            let mut orders = connection.orders(&of, &session).await.unwrap();
            while let Some(Ok(Received::Order(order))) = orders.next().await {
                connection.acknowledge(&of, &session, &order.op).await.unwrap();
                for act in play(&order) {
                    match act {
                        Act::Print(line) => {
                            let printed = Printed { lines: vec![line.into()] };
                            connection.print(&of, &order.op, &printed).await.unwrap();
                        }
                        Act::Say(kind, more) => {
                            let line =
                                format!(r#"{{"host":"{name}","type":"{kind}","op":"{}"{more}}}"#, order.op);
                            let taken = connection.report(&of, &session, line.into_bytes()).await.unwrap();
                            assert_eq!(taken.refused, []);
                        }
                        Act::Beat(line) => {
                            connection.report(&of, &session, line.into_bytes()).await.unwrap();
                        }
                    }
                }
            }
        });
    }

    /// The audit trail, in words.
    pub(crate) fn trail(&self) -> Vec<AuditEntry> {
        let query = AuditQuery::default();
        self.wait(self.hub.audit(query).unwrap().try_collect()).unwrap()
    }

    pub(crate) fn requested(&self) -> usize {
        self.trail().iter().filter(|entry| entry.what.ends_with(" requested")).count()
    }
}

async fn start(
    log: &Arc<FaultyLog>,
    clock: &Arc<Ahead>,
    access: &Arc<Access>,
    forge: Option<Arc<dyn Forge>>,
) -> (Hub, Router) {
    let clock: Arc<dyn Clock> = Arc::<Ahead>::clone(clock);
    let agents = Agents::new(Arc::clone(access), Arc::clone(&clock), AgentsConfig::default());
    let log: Arc<FaultyLog> = Arc::clone(log);
    let ports = Ports { clock, forge, transports: vec![Arc::new(agents.clone())], ..Ports::new(log) };
    let hub = Hub::start(ports, Config::default()).await.unwrap();
    (hub.clone(), router(hub, agents))
}

async fn serve(router: Router, address: SocketAddr) -> (SocketAddr, tokio::task::JoinHandle<()>) {
    let listener = TcpListener::bind(address).await.unwrap();
    let address = listener.local_addr().unwrap();
    (address, tokio::spawn(async move { axum::serve(listener, router).await.unwrap() }))
}

/// A way to a hub.
pub(crate) struct Proxy {
    address: SocketAddr,
    cut: watch::Sender<()>,
}

impl Proxy {
    async fn start(to: SocketAddr) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let (address, cut) = (listener.local_addr().unwrap(), watch::Sender::new(()));
        let cuts = cut.clone();
        tokio::spawn(async move {
            while let Ok((mut from, _)) = listener.accept().await {
                let mut cut = cuts.subscribe();
                tokio::spawn(async move {
                    let mut to = TcpStream::connect(to).await.unwrap();
                    tokio::select! {
                        _ = copy_bidirectional(&mut from, &mut to) => {}
                        _ = cut.changed() => {}
                    }
                });
            }
        });
        Self { address, cut }
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Cuts every connection that there is. The next ones are none the wiser.
    pub(crate) fn cut(&self) {
        self.cut.send_replace(());
    }
}

/// What an agent does.
pub(crate) enum Act {
    /// Passes on a line of output.
    Print(&'static str),
    /// Reports of the operation: the type of the event, and more fields.
    Say(&'static str, &'static str),
    /// Reports something else.
    Beat(String),
}

/// A call of the program.
pub(crate) struct Call {
    args: Vec<String>,
    token: Option<String>,
    answer: Option<compartment_console::Answer>,
    away: Option<KnownAway>,
    unread: Vec<(HostId, String)>,
    width: usize,
}

/// Hosts that cannot be reached, and why, as a test says.
pub(crate) type KnownAway = Arc<Mutex<Vec<(HostId, String)>>>;

/// The program, while it runs.
pub(crate) struct Running {
    pub(crate) output: Shared,
    pub(crate) aside: Shared,
    pub(crate) stop: Stop,
    thread: JoinHandle<Result<Completion, MatrixError>>,
}

pub(crate) struct Told {
    pub(crate) result: Result<Completion, MatrixError>,
    pub(crate) output: String,
    pub(crate) aside: String,
}

impl Call {
    pub(crate) fn of(world: &World, args: &[&str]) -> Self {
        let hub = format!("http://{}", world.address);
        let own = if args.contains(&"--hub") { &[][..] } else { &["--hub", hub.as_str()] };
        let args = [&["matrix"], own, args].concat().into_iter().map(str::to_owned).collect();
        Self {
            args,
            token: Some(world.operator.clone()),
            answer: None,
            away: None,
            unread: Vec::new(),
            width: 100,
        }
    }

    pub(crate) fn token(self, token: Option<&str>) -> Self {
        Self { token: token.map(str::to_owned), ..self }
    }

    pub(crate) fn width(self, width: usize) -> Self {
        Self { width, ..self }
    }

    pub(crate) fn answered(self, answer: impl FnOnce() -> &'static str + Send + 'static) -> Self {
        Self { answer: Some(Box::new(move || Ok(format!("{}\n", answer())))), ..self }
    }

    pub(crate) fn away(self, away: &KnownAway) -> Self {
        Self { away: Some(Arc::clone(away)), ..self }
    }

    pub(crate) fn unread(self, host: HostId, why: &str) -> Self {
        Self { unread: vec![(host, why.to_owned())], ..self }
    }

    pub(crate) fn start(self) -> Running {
        self.start_on(|| None)
    }

    pub(crate) fn start_on(self, screen: impl FnOnce() -> Option<Screen> + Send + 'static) -> Running {
        let (output, aside, stop) = (Shared::default(), Shared::default(), Stop::default());
        let (mut to_output, mut to_aside, stopped) = (output.clone(), aside.clone(), stop.clone());
        let thread = std::thread::spawn(move || {
            let cli = Cli::try_parse_from(&self.args).unwrap();
            let away = self.away.map(|known| move || known.lock().unwrap().clone());
            let unread = || self.unread.clone();
            let within = away.as_ref().map(|away| Within {
                name: "fleet",
                command: "fleet --inventory here".to_owned(),
                remembers: true,
                of: "here".to_owned(),
                away: away as &Why<'_>,
                unread: &unread,
            });
            let surroundings = Terminal {
                token: self.token,
                output: &mut to_output,
                aside: &mut to_aside,
                answer: self.answer,
                screen: screen(),
                within,
                width: Some(self.width),
                watched: false,
                stop: stopped,
            };
            run(&cli, surroundings)
        });
        Running { output, aside, stop, thread }
    }

    pub(crate) fn run(self) -> Told {
        self.start().ended()
    }
}

impl Running {
    pub(crate) fn ended(self) -> Told {
        let begun = std::time::Instant::now();
        while !self.thread.is_finished() {
            assert!(begun.elapsed() < LIMIT, "it hangs: {}{}", self.output.text(), self.aside.text());
            std::thread::yield_now();
            std::thread::park_timeout(Duration::from_millis(5));
        }
        let result = self.thread.join().unwrap();
        Told { result, output: self.output.text(), aside: self.aside.text() }
    }

    pub(crate) fn interrupted(self) -> Told {
        self.stop.ask();
        self.ended()
    }
}

impl Told {
    /// What was said of something that was not done.
    pub(crate) fn refused(self) -> String {
        self.result.unwrap_err().to_string()
    }

    pub(crate) fn verdict(&self) -> Completion {
        match &self.result {
            Ok(verdict) => *verdict,
            Err(error) => panic!("{error}; {}{}", self.output, self.aside),
        }
    }
}

/// As if the terminal were wide enough.
pub(crate) fn one_line(words: &str) -> String {
    words.split_whitespace().collect::<Vec<_>>().join(" ")
}
