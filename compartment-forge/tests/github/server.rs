//! The double behind a port, and before it, where it is installed, the proxy that holds both sides to GitHub's own
//! description.

use std::io::{BufRead, BufReader};
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex, OnceLock};
use std::time::{Duration, Instant};

use super::double::Double;

/// Where all tests of this program ask.
pub(crate) struct Server {
    pub(crate) double: Double,
    /// The double itself.
    pub(crate) plain: String,
    /// The proxy.
    pub(crate) proxy: Option<Proxy>,
}

/// The proxy, and what it found.
pub(crate) struct Proxy {
    pub(crate) address: String,
    violations: Arc<Mutex<Vec<String>>>,
}

impl Proxy {
    /// What was sent or answered in this repository that GitHub's description does not allow.
    pub(crate) fn violations(&self, repository: &str) -> Vec<String> {
        // It says so a moment later.
        std::thread::sleep(Duration::from_millis(100));
        let violations = self.violations.lock().unwrap();
        let of = format!("/repos/{repository}/");
        violations.iter().filter(|line| line.contains(&of)).cloned().collect()
    }
}

/// Started once.
pub(crate) fn server() -> &'static Server {
    static SERVER: OnceLock<Server> = OnceLock::new();
    SERVER.get_or_init(|| {
        let double = Double::default();
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let address = listener.local_addr().unwrap();
        listener.set_nonblocking(true).unwrap();
        let router = double.clone().router();
        // The tests come and go, each with a runtime of its own.
        std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
            runtime.unwrap().block_on(async {
                let listener = tokio::net::TcpListener::from_std(listener).unwrap();
                axum::serve(listener, router).await.unwrap();
            });
        });
        Server { double, plain: format!("http://{address}"), proxy: proxy(address) }
    })
}

/// The folder that `scripts/github-description` has filled.
fn description() -> Option<PathBuf> {
    if let Some(folder) = std::env::var_os("GITHUB_DESCRIPTION").filter(|folder| !folder.is_empty()) {
        return Some(folder.into());
    }
    // Beside this program: `target/debug/deps/github-…`.
    let program = std::env::current_exe().ok()?;
    let folder = program.ancestors().nth(3)?.join("github");
    folder.join("github.json").exists().then_some(folder)
}

fn proxy(to: SocketAddr) -> Option<Proxy> {
    let Some(folder) = description() else {
        eprintln!("without GitHub's description: `scripts/test forge` installs it");
        return None;
    };
    let free = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap().local_addr().unwrap();
    let script = format!(
        "'{0}/node_modules/.bin/prism' proxy --errors -h {1} -p {2} '{0}/github.json' http://{to} & read -r _; kill $!",
        folder.display(),
        free.ip(),
        free.port(),
    );
    // It ends when this program does, however: then there is nothing more to read.
    let mut child = Command::new("sh")
        .args(["-c", &script])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::inherit())
        .spawn()
        .unwrap();
    std::mem::forget(child.stdin.take());
    let violations = Arc::new(Mutex::new(Vec::new()));
    let (found, said) = (Arc::clone(&violations), BufReader::new(child.stdout.take().unwrap()));
    std::thread::spawn(move || {
        for line in said.lines().map_while(Result::ok) {
            let lower = line.to_lowercase();
            if lower.contains("violation") || lower.contains("prism/errors#") {
                found.lock().unwrap().push(line);
            }
        }
        drop(child.wait());
    });
    let begun = Instant::now();
    while std::net::TcpStream::connect(free).is_err() {
        assert!(begun.elapsed() < Duration::from_secs(60), "the proxy does not begin");
        std::thread::sleep(Duration::from_millis(50));
    }
    Some(Proxy { address: format!("http://{free}"), violations })
}
