//! GitHub, as far as the forge asks it: with a memory, over a real repository, and with troubles on demand.
//!
//! What it answers begins as one of the examples of GitHub's own description.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::{Arc, LazyLock, Mutex, MutexGuard};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::http::{HeaderMap, Method, Response, StatusCode, Uri, header};
use compartment_core::LockHash;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::git::Bare;

/// The token that it takes.
pub(crate) const TOKEN: &str = "ghp_theTokenThatNobodyMaySee";

static PULL: LazyLock<Value> =
    LazyLock::new(|| serde_json::from_str(include_str!("answers/pull.json")).unwrap());
static COMPARE: LazyLock<Value> =
    LazyLock::new(|| serde_json::from_str(include_str!("answers/compare.json")).unwrap());
static FILE: LazyLock<Value> =
    LazyLock::new(|| serde_json::from_str(include_str!("answers/file.json")).unwrap());

/// All repositories that it has, by `owner/name`.
#[derive(Clone, Default)]
pub(crate) struct Double(Arc<Mutex<BTreeMap<String, Arc<Mutex<Repository>>>>>);

/// One of them.
pub(crate) struct Repository {
    pub(crate) name: String,
    pub(crate) bare: Bare,
    pub(crate) present: bool,
    pub(crate) pulls: BTreeMap<u64, Pull>,
    /// What goes wrong with the next request of a method whose path contains this.
    pub(crate) troubles: VecDeque<(&'static str, &'static str, Trouble)>,
    /// Somebody pushes this right before the next merge.
    pub(crate) push_during: Option<String>,
    /// Method and path of every request, and the status that was answered.
    pub(crate) requests: Vec<(String, u16)>,
    /// How many requests are left.
    pub(crate) remaining: u64,
    /// What it has tried to merge.
    tried: BTreeSet<(u64, String, String)>,
}

/// A pull request.
#[derive(Clone)]
pub(crate) struct Pull {
    pub(crate) title: String,
    pub(crate) branch: String,
    pub(crate) base: String,
    pub(crate) head: String,
    pub(crate) labels: Vec<String>,
    pub(crate) open: bool,
    pub(crate) merged: Option<String>,
    /// What stands in the way of a merge besides conflicts.
    pub(crate) state: Option<&'static str>,
}

/// Something that goes wrong.
#[derive(Clone)]
pub(crate) enum Trouble {
    /// This answer instead of what was asked for.
    Says(u16, Value, Vec<(&'static str, String)>),
    /// No answer at all.
    Hangs,
    /// The answer ends before its end; what was asked for is done.
    Lost,
}

/// What is answered.
struct Said {
    status: u16,
    media_type: &'static str,
    body: Vec<u8>,
    headers: Vec<(&'static str, String)>,
}

fn json(status: u16, value: &Value) -> Said {
    let media_type = "application/json; charset=utf-8";
    Said { status, media_type, body: serde_json::to_vec(value).unwrap(), headers: Vec::new() }
}

/// An error as GitHub words it.
pub(crate) fn problem(status: u16, message: &str) -> Value {
    json!({
        "message": message,
        "documentation_url": "https://docs.github.com/rest",
        "status": status.to_string(),
    })
}

fn no(status: u16, message: &str) -> Said {
    json(status, &problem(status, message))
}

impl Double {
    /// A new repository.
    pub(crate) fn add(&self, name: &str, bare: Bare) -> Arc<Mutex<Repository>> {
        let repository = Repository {
            name: name.to_owned(),
            bare,
            present: true,
            pulls: BTreeMap::new(),
            troubles: VecDeque::new(),
            push_during: None,
            requests: Vec::new(),
            remaining: 5000,
            tried: BTreeSet::new(),
        };
        let repository = Arc::new(Mutex::new(repository));
        self.0.lock().unwrap().insert(name.to_owned(), Arc::clone(&repository));
        repository
    }

    pub(crate) fn router(self) -> Router {
        Router::new().fallback(answer).with_state(self)
    }
}

async fn answer(
    State(double): State<Double>,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> Response<Body> {
    let parts: Vec<String> = uri.path().trim_matches('/').split('/').map(decoded).collect();
    let parts: Vec<&str> = parts.iter().map(String::as_str).collect();
    let ["repos", owner, name, rest @ ..] = &parts[..] else { return finish(no(404, "Not Found"), 0) };
    let found = double.0.lock().unwrap().get(&format!("{owner}/{name}")).cloned();
    let Some(repository) = found else { return finish(no(404, "Not Found"), 0) };
    let trouble = {
        let mut repository = repository.lock().unwrap();
        let at = repository
            .troubles
            .iter()
            .position(|(of, path, _)| *of == method.as_str() && uri.to_string().contains(path));
        at.and_then(|at| repository.troubles.remove(at)).map(|(_, _, trouble)| trouble)
    };
    if let Some(Trouble::Hangs) = trouble {
        repository.lock().unwrap().requests.push((format!("{method} {uri}"), 0));
        tokio::time::sleep(Duration::from_secs(3600)).await;
    }
    let mut repository = repository.lock().unwrap();
    let mut said = match &trouble {
        Some(Trouble::Says(status, value, headers)) => {
            Said { headers: headers.clone(), ..json(*status, value) }
        }
        _ => repository.said(&method, rest, uri.query().unwrap_or_default(), &headers, &body),
    };
    if said.status == 200 && method == Method::GET {
        let etag = format!("W/\"{}\"", LockHash::from_bytes(Sha256::digest(&said.body).into()));
        if headers.get(header::IF_NONE_MATCH).is_some_and(|asked| asked == etag.as_str()) {
            said = Said { status: 304, media_type: "", body: Vec::new(), headers: Vec::new() };
        }
        said.headers.push(("etag", etag));
    }
    if said.status != 304 {
        repository.remaining = repository.remaining.saturating_sub(1);
    }
    repository.requests.push((format!("{method} {uri}"), said.status));
    let remaining = repository.remaining;
    drop(repository);
    if let Some(Trouble::Lost) = trouble {
        let broken = futures::stream::iter([Err::<Bytes, _>(std::io::Error::other("cut"))]);
        return Response::builder().status(said.status).body(Body::from_stream(broken)).unwrap();
    }
    finish(said, remaining)
}

fn finish(said: Said, remaining: u64) -> Response<Body> {
    let reset = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs() + 3600;
    let mut response = Response::builder().status(StatusCode::from_u16(said.status).unwrap());
    let given = |name: &str| said.headers.iter().any(|(given, _)| *given == name);
    for (name, value) in [
        ("x-ratelimit-limit", "5000".to_owned()),
        ("x-ratelimit-remaining", remaining.to_string()),
        ("x-ratelimit-reset", reset.to_string()),
    ] {
        if !given(name) {
            response = response.header(name, value);
        }
    }
    for (name, value) in &said.headers {
        response = response.header(*name, value);
    }
    if said.status != 304 {
        response = response.header(header::CONTENT_TYPE, said.media_type);
    }
    response.body(Body::from(said.body)).unwrap()
}

impl Repository {
    fn said(
        &mut self,
        method: &Method,
        rest: &[&str],
        query: &str,
        headers: &HeaderMap,
        body: &[u8],
    ) -> Said {
        let query: BTreeMap<&str, &str> = query.split('&').filter_map(|pair| pair.split_once('=')).collect();
        let bearer = headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
        if bearer != Some(&format!("Bearer {TOKEN}")) {
            return no(401, "Bad credentials");
        }
        if !self.present {
            return no(404, "Not Found");
        }
        let accept = headers.get(header::ACCEPT).and_then(|value| value.to_str().ok()).unwrap_or_default();
        let get = method == Method::GET;
        match rest {
            ["git", "ref", name] if get => self.reference(name),
            ["git", "commits", sha] if get => self.commit(sha),
            ["contents", path] if get => self.contents(path, query.get("ref").copied(), accept),
            ["pulls"] if get => self.list(&query),
            ["pulls", number] if get => match number.parse() {
                Ok(number) if self.pulls.contains_key(&number) => json(200, &self.pull(number, true)),
                _ => no(404, "Not Found"),
            },
            ["pulls", number, "files"] if get => self.files(number.parse().unwrap_or(0)),
            ["pulls", number, "merge"] if method == Method::PUT => {
                self.put(number.parse().unwrap_or(0), &serde_json::from_slice(body).unwrap_or_default())
            }
            ["compare", names] if get => self.compare(names),
            _ => no(404, "Not Found"),
        }
    }

    fn at(&self, rest: &str) -> Value {
        format!("https://api.github.com/repos/{}/{rest}", self.name).into()
    }

    fn reference(&self, name: &str) -> Said {
        let Some(sha) = self.bare.resolve(&format!("refs/{name}")) else { return no(404, "Not Found") };
        json(
            200,
            &json!({
                "ref": format!("refs/{name}"), "node_id": "MDM6UmVm", "url": self.at(&format!("git/refs/{name}")),
                "object": { "type": "commit", "sha": sha, "url": self.at(&format!("git/commits/{sha}")) },
            }),
        )
    }

    fn commit(&self, sha: &str) -> Said {
        let Some(sha) = self.bare.resolve(sha) else { return no(404, "Not Found") };
        let told = |format: &str| self.bare.git(&["show", "--no-patch", &format!("--format={format}"), &sha]);
        let who = json!({ "name": "Mona", "email": "mona@example.org", "date": "2026-05-04T12:00:00Z" });
        let parents: Vec<Value> = told("%P")
            .split_whitespace()
            .map(|sha| json!({ "sha": sha, "url": self.at(sha), "html_url": self.at(sha) }))
            .collect();
        json(
            200,
            &json!({
                "sha": sha, "node_id": "MDY6", "url": self.at(&sha), "html_url": self.at(&sha),
                "author": who, "committer": who, "message": told("%B"),
                "tree": { "sha": told("%T"), "url": self.at("tree") }, "parents": parents,
                "verification": { "verified": false, "reason": "unsigned", "signature": null, "payload": null,
                    "verified_at": null },
            }),
        )
    }

    fn contents(&self, path: &str, reference: Option<&str>, accept: &str) -> Said {
        assert_eq!(accept, "application/vnd.github.raw", "only this form has files above 1 MB");
        match reference.and_then(|reference| self.bare.file(reference, path)) {
            None => no(404, "Not Found"),
            Some(body) => {
                let media_type = "application/vnd.github.raw; charset=utf-8";
                Said { status: 200, media_type, body, headers: Vec::new() }
            }
        }
    }

    fn pull(&mut self, number: u64, alone: bool) -> Value {
        let pull = self.pulls[&number].clone();
        let base = self.bare.resolve(&format!("refs/heads/{}", pull.base)).unwrap_or_default();
        let mut told = PULL.clone();
        told["number"] = number.into();
        told["title"] = pull.title.clone().into();
        told["html_url"] = format!("https://github.com/{}/pull/{number}", self.name).into();
        told["state"] = if pull.open { "open" } else { "closed" }.into();
        told["head"]["ref"] = pull.branch.clone().into();
        told["head"]["sha"] = pull.head.clone().into();
        told["base"]["ref"] = pull.base.clone().into();
        told["base"]["sha"] = base.clone().into();
        let label = told["labels"][0].clone();
        told["labels"] = pull
            .labels
            .iter()
            .map(|name| {
                let mut label = label.clone();
                label["name"] = name.clone().into();
                label
            })
            .collect();
        told["draft"] = false.into();
        let time: Value = "2026-05-04T12:00:00Z".into();
        told["closed_at"] = if pull.open { Value::Null } else { time.clone() };
        told["merged_at"] = if pull.merged.is_some() { time } else { Value::Null };
        told["merge_commit_sha"] = pull.merged.clone().into();
        if !alone {
            let extra = [
                "merged",
                "mergeable",
                "rebaseable",
                "mergeable_state",
                "merged_by",
                "comments",
                "review_comments",
                "maintainer_can_modify",
                "commits",
                "additions",
                "deletions",
                "changed_files",
            ];
            let fields = told.as_object_mut().unwrap();
            extra.iter().for_each(|name| drop(fields.remove(*name)));
            return told;
        }
        told["merged"] = pull.merged.is_some().into();
        if pull.merged.is_none() {
            told["merged_by"] = Value::Null;
        }
        // It tries after it was asked, and knows when it is asked again.
        let known = !pull.open || !self.tried.insert((number, pull.head.clone(), base.clone()));
        let merges = pull.open && self.bare.merged_tree(&base, &pull.head).is_some();
        let (mergeable, state) = match (known && pull.open, merges) {
            (false, _) => (Value::Null, "unknown"),
            (true, false) => (false.into(), "dirty"),
            (true, true) => (true.into(), pull.state.unwrap_or("clean")),
        };
        told["mergeable"] = mergeable.clone();
        told["rebaseable"] = mergeable;
        told["mergeable_state"] = state.into();
        told
    }

    fn list(&mut self, query: &BTreeMap<&str, &str>) -> Said {
        let asked = |name: &str, default: usize| {
            query.get(name).map_or(default, |value| value.parse::<usize>().unwrap())
        };
        let (page, per_page) = (asked("page", 1), asked("per_page", 30).min(100));
        assert_eq!((query["state"], query["sort"], query["direction"]), ("open", "created", "asc"));
        let open: Vec<u64> =
            self.pulls.iter().filter(|(_, pull)| pull.open).map(|(number, _)| *number).collect();
        let rows: Vec<Value> = open
            .iter()
            .skip((page - 1) * per_page)
            .take(per_page)
            .map(|number| self.pull(*number, false))
            .collect();
        let mut said = json(200, &Value::Array(rows));
        if open.len() > page * per_page {
            let next =
                format!("<https://api.github.com/repositories/1/pulls?page={}>; rel=\"next\"", page + 1);
            said.headers.push(("link", next));
        }
        said
    }

    fn files(&self, number: u64) -> Said {
        let Some(pull) = self.pulls.get(&number) else { return no(404, "Not Found") };
        let range = format!("refs/heads/{}...{}", pull.base, pull.head);
        let names = self.bare.git(&["diff", "--name-only", &range]);
        let files = names.lines().map(|name| {
            let mut file = FILE.clone();
            file["filename"] = name.into();
            file
        });
        json(200, &files.collect())
    }

    fn compare(&self, names: &str) -> Said {
        let resolved = names.split_once("...").and_then(|(base, head)| {
            let name = |name: &str| {
                self.bare.resolve(&format!("refs/heads/{name}")).or_else(|| self.bare.resolve(name))
            };
            let (base, head) = (name(base)?, name(head)?);
            let parted = self.bare.ask(&["merge-base", &base, &head])?;
            Some((base, head, parted))
        });
        let Some((base, head, parted)) = resolved else { return no(404, "Not Found") };
        let counts = self.bare.git(&["rev-list", "--left-right", "--count", &format!("{base}...{head}")]);
        let counts: Vec<u64> = counts.split_whitespace().map(|count| count.parse().unwrap()).collect();
        let (behind, ahead) = (counts[0], counts[1]);
        let mut told = COMPARE.clone();
        told["base_commit"]["sha"] = base.into();
        told["merge_base_commit"]["sha"] = parted.into();
        told["status"] = match (behind, ahead) {
            (0, 0) => "identical",
            (0, _) => "ahead",
            (_, 0) => "behind",
            (_, _) => "diverged",
        }
        .into();
        (told["behind_by"], told["ahead_by"], told["total_commits"]) =
            (behind.into(), ahead.into(), ahead.into());
        told["commits"].as_array_mut().unwrap().truncate(usize::from(ahead > 0));
        json(200, &told)
    }

    fn put(&mut self, number: u64, asked: &Value) -> Said {
        let Some(pull) = self.pulls.get(&number).cloned() else { return no(404, "Not Found") };
        assert_eq!(asked["merge_method"], "merge");
        if !pull.open || pull.state == Some("refused") {
            return no(405, "Pull Request is not mergeable");
        }
        let expected = asked["sha"].as_str().unwrap();
        if expected.len() != 40 {
            return no(422, "Validation Failed");
        }
        if expected != pull.head {
            return no(409, "Head branch was modified. Review and try the merge again.");
        }
        if let Some(pushed) = self.push_during.take() {
            self.bare.point("refs/heads/main", &pushed);
        }
        let message = format!(
            "Merge pull request #{number} from {}\n\n{}",
            pull.branch,
            asked["commit_message"].as_str().unwrap_or(&pull.title)
        );
        match self.merge(number, &message) {
            None => no(405, "Pull Request is not mergeable"),
            Some(sha) => json(
                200,
                &json!({ "sha": sha, "merged": true, "message": "Pull Request successfully merged" }),
            ),
        }
    }

    /// Merges; nothing where there is a conflict.
    pub(crate) fn merge(&mut self, number: u64, message: &str) -> Option<String> {
        let pull = self.pulls.get_mut(&number).unwrap();
        let branch = format!("refs/heads/{}", pull.base);
        let base = self.bare.resolve(&branch).unwrap();
        let tree = self.bare.merged_tree(&base, &pull.head)?;
        let merge = self.bare.merge(&tree, &base, &pull.head, message);
        self.bare.point(&branch, &merge);
        (pull.open, pull.merged) = (false, Some(merge.clone()));
        Some(merge)
    }

    /// How many of the requests so far were of this method, with this in their path, and had this answer.
    pub(crate) fn count(&self, method: &str, path: &str, status: u16) -> usize {
        let such = |(asked, said): &&(String, u16)| {
            asked.starts_with(method) && asked.contains(path) && *said == status
        };
        self.requests.iter().filter(such).count()
    }
}

fn decoded(segment: &str) -> String {
    let mut bytes = Vec::new();
    let mut rest = segment.as_bytes();
    while let [first, tail @ ..] = rest {
        match (first, tail) {
            (b'%', [high, low, tail @ ..]) => {
                let hex = String::from_utf8(vec![*high, *low]).unwrap();
                bytes.push(u8::from_str_radix(&hex, 16).unwrap());
                rest = tail;
            }
            (byte, tail) => {
                bytes.push(*byte);
                rest = tail;
            }
        }
    }
    String::from_utf8(bytes).unwrap()
}

/// Whoever holds a repository may not wait while they do.
pub(crate) fn held(repository: &Mutex<Repository>) -> MutexGuard<'_, Repository> {
    repository.lock().unwrap()
}
