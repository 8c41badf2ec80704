//! A web server for repositories: git's own `http-backend`, behind a token.

use std::collections::BTreeSet;
use std::io::Write;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::http::{HeaderMap, Method, StatusCode, Uri, header};
use axum::response::Response;
use compartment_core::Commit;
use futures::StreamExt;

/// What the server lets in.
pub(crate) const TOKEN: &str = "hush-4f1e5b";

/// `x-access-token:` and [`TOKEN`], in base 64.
const BASIC: &str = "Basic eC1hY2Nlc3MtdG9rZW46aHVzaC00ZjFlNWI=";

/// A server of the repositories in a folder, for as long as it lives.
pub(crate) struct Web {
    at: SocketAddr,
    runs: tokio::task::JoinHandle<()>,
    served: Arc<Served>,
}

struct Served {
    root: PathBuf,
    token: bool,
    /// Whether answers to pushes are lost.
    loses: AtomicBool,
    /// How long it waits before each part of a long answer.
    trickles: Mutex<Duration>,
    /// What `main` is moved to before the next push is told where it is.
    pushed: Mutex<Option<Commit>>,
    /// The arguments of all processes, as anybody could see them while a request was answered.
    arguments: Mutex<BTreeSet<String>>,
}

impl Web {
    /// Serves a folder, to everybody or to whoever has the token.
    pub(crate) async fn serve(root: &Path, token: bool) -> Self {
        let served = Arc::new(Served {
            root: root.to_owned(),
            token,
            loses: AtomicBool::new(false),
            trickles: Mutex::default(),
            pushed: Mutex::default(),
            arguments: Mutex::default(),
        });
        let router = Router::new().fallback(answer).with_state(Arc::clone(&served));
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let at = listener.local_addr().unwrap();
        let runs = tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        Self { at, runs, served }
    }

    /// The address of a repository, with or without a user.
    pub(crate) fn address(&self, user: &str) -> String {
        format!("http://{user}{}/bare.git", self.at)
    }

    /// The arguments of all processes that ran while this one answered.
    pub(crate) fn arguments_seen(&self) -> BTreeSet<String> {
        self.served.arguments.lock().unwrap().clone()
    }

    /// Somebody moves `main` to a commit after the next order has fetched and before it pushes.
    pub(crate) fn push_before_next_push(&self, commit: Commit) {
        *self.served.pushed.lock().unwrap() = Some(commit);
    }

    /// Sends answers in parts of 16 KiB, and waits before each.
    pub(crate) fn trickle(&self, wait: Duration) {
        *self.served.trickles.lock().unwrap() = wait;
    }

    pub(crate) fn lose_answers(&self, lose: bool) {
        self.served.loses.store(lose, Ordering::Relaxed);
    }
}

impl Drop for Web {
    fn drop(&mut self) {
        self.runs.abort();
    }
}

fn arguments() -> impl Iterator<Item = String> {
    let processes = std::fs::read_dir("/proc").unwrap().filter_map(Result::ok);
    let arguments = processes.filter_map(|process| std::fs::read(process.path().join("cmdline")).ok());
    arguments.map(|line| String::from_utf8_lossy(&line).replace('\0', " "))
}

async fn answer(
    State(served): State<Arc<Served>>,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let head =
        |name: header::HeaderName| headers.get(name).map_or("", |value| value.to_str().unwrap()).to_owned();
    served.arguments.lock().unwrap().extend(arguments());
    if served.token && head(header::AUTHORIZATION) != BASIC {
        let refused = Response::builder().status(StatusCode::UNAUTHORIZED);
        return refused.header(header::WWW_AUTHENTICATE, "Basic realm=\"git\"").body(Body::empty()).unwrap();
    }
    if uri.query() == Some("service=git-receive-pack")
        && let Some(commit) = served.pushed.lock().unwrap().take()
    {
        let mut push = Command::new("git");
        push.env("GIT_DIR", served.root.join("bare.git"));
        let pushed = push.args(["update-ref", "refs/heads/main", &commit.to_string()]).status();
        assert!(pushed.unwrap().success());
    }
    let mut cgi = Command::new("git");
    cgi.arg("http-backend")
        .env("GIT_PROJECT_ROOT", &served.root)
        .env("GIT_HTTP_EXPORT_ALL", "1")
        .env("GIT_CONFIG_GLOBAL", "/dev/null")
        .env("REQUEST_METHOD", method.as_str())
        .env("PATH_INFO", uri.path())
        .env("QUERY_STRING", uri.query().unwrap_or_default())
        .env("CONTENT_TYPE", head(header::CONTENT_TYPE))
        .env("CONTENT_LENGTH", body.len().to_string())
        .env("HTTP_CONTENT_ENCODING", head(header::CONTENT_ENCODING))
        .env("HTTP_GIT_PROTOCOL", head(header::HeaderName::from_static("git-protocol")))
        .env("GIT_PROTOCOL", head(header::HeaderName::from_static("git-protocol")))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null());
    let output = tokio::task::spawn_blocking(move || {
        let mut child = cgi.spawn().unwrap();
        let mut stdin = child.stdin.take().unwrap();
        let writes = std::thread::spawn(move || drop(stdin.write_all(&body)));
        let output = child.wait_with_output().unwrap().stdout;
        writes.join().unwrap();
        output
    });
    let output = output.await.unwrap();
    if served.loses.load(Ordering::Relaxed) && method == Method::POST && uri.path().contains("receive-pack") {
        return Response::builder().status(StatusCode::BAD_GATEWAY).body(Body::empty()).unwrap();
    }
    let end = output.windows(4).position(|window| window == b"\r\n\r\n").unwrap_or(output.len());
    let mut response = Response::builder();
    for line in String::from_utf8_lossy(&output[..end]).lines() {
        let (name, value) = line.split_once(": ").unwrap();
        response = match name {
            "Status" => response.status(&value[..3]),
            _ => response.header(name, value),
        };
    }
    let parts: Vec<_> =
        output.get(end + 4..).unwrap_or_default().chunks(16 << 10).map(Bytes::copy_from_slice).collect();
    let wait = *served.trickles.lock().unwrap();
    let parts = futures::stream::iter(parts).then(move |part| async move {
        if !wait.is_zero() {
            tokio::time::sleep(wait).await;
        }
        std::io::Result::Ok(part)
    });
    response.body(Body::from_stream(parts)).unwrap()
}
