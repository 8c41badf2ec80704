//! One `flake.lock`, read and flattened: every input by its path from the root.

use std::collections::BTreeMap;

use compartment_core::{Text, Timestamp};
use compartment_local::credentials::without_credentials;
use compartment_runtime::Pin;
use serde::Deserialize;

use super::LockError;

/// The most inputs that are looked at, nested ones included: a lock may name one node in many places.
pub(super) const INPUTS_LIMIT: usize = 10_000;

/// How deep inputs may be nested or follow one another.
const DEPTH_LIMIT: usize = 64;

/// The inputs of a lock.
#[derive(Debug, Default)]
pub(super) struct Tree {
    /// By path: `home-manager/nixpkgs`.
    pub(super) inputs: BTreeMap<String, Input>,
}

/// An input at one place.
#[derive(Debug)]
pub(super) struct Input {
    /// The path of the input that it follows.
    pub(super) follows: Option<String>,
    /// What it is locked to; nothing where it follows nothing, as `follows = ""` says.
    pub(super) pin: Option<Pin>,
}

#[derive(Deserialize)]
struct File {
    version: u32,
    root: String,
    nodes: BTreeMap<String, Node>,
}

#[derive(Deserialize)]
struct Node {
    #[serde(default)]
    inputs: BTreeMap<String, Edge>,
    locked: Option<Reference>,
    original: Option<Reference>,
}

/// Where an input leads to: a node, or the place of another input, from the root.
#[derive(Deserialize)]
#[serde(untagged)]
enum Edge {
    Node(String),
    Follows(Vec<String>),
}

/// A flake reference in parts; which there are depends on its kind.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Reference {
    #[serde(rename = "type")]
    kind: String,
    owner: Option<String>,
    repo: Option<String>,
    #[serde(rename = "ref")]
    branch: Option<String>,
    url: Option<String>,
    path: Option<String>,
    id: Option<String>,
    rev: Option<String>,
    nar_hash: Option<String>,
    last_modified: Option<i64>,
}

impl Tree {
    /// Reads a lock.
    pub(super) fn read(bytes: &[u8]) -> Result<Self, LockError> {
        let file: File = serde_json::from_slice(bytes)?;
        if !(5..=7).contains(&file.version) {
            return Err(LockError::Version(file.version));
        }
        let mut tree = Self::default();
        let mut open = vec![(String::new(), file.root.as_str(), 0)];
        while let Some((at, node, depth)) = open.pop() {
            for (name, edge) in &file.node(node)?.inputs {
                let path = if at.is_empty() { name.clone() } else { format!("{at}/{name}") };
                let (follows, target) = match edge {
                    Edge::Node(target) => (None, Some(target.as_str())),
                    Edge::Follows(of) => (Some(of.join("/")), file.follow(of, 0)?),
                };
                if let (None, Some(target)) = (&follows, target)
                    && depth < DEPTH_LIMIT
                {
                    open.push((path.clone(), target, depth + 1));
                }
                let pin = target.map(|target| file.node(target)).transpose()?.and_then(Node::pin);
                tree.inputs.insert(path, Input { follows, pin });
                if tree.inputs.len() > INPUTS_LIMIT {
                    return Err(LockError::TooMany);
                }
            }
        }
        Ok(tree)
    }
}

impl File {
    fn node(&self, name: &str) -> Result<&Node, LockError> {
        self.nodes.get(name).ok_or_else(|| LockError::Missing(Text::new(name)))
    }

    /// The node at a place; nothing where that is the root itself, as `follows = ""` says, or a circle.
    fn follow(&self, place: &[String], depth: usize) -> Result<Option<&str>, LockError> {
        let mut node = self.root.as_str();
        for name in place {
            let missing = || LockError::Missing(Text::new(&place.join("/")));
            node = match self.node(node)?.inputs.get(name).ok_or_else(missing)? {
                Edge::Node(target) => target,
                Edge::Follows(_) if depth >= DEPTH_LIMIT => return Ok(None),
                Edge::Follows(of) => match self.follow(of, depth + 1)? {
                    Some(target) => target,
                    None => return Ok(None),
                },
            };
        }
        Ok((!place.is_empty()).then_some(node))
    }
}

impl Node {
    fn pin(&self) -> Option<Pin> {
        let locked = self.locked.as_ref()?;
        let revision = locked.rev.as_ref().or(locked.nar_hash.as_ref());
        let modified = locked.last_modified.and_then(|seconds| seconds.checked_mul(1000));
        Some(Pin {
            source: Text::new(&without_credentials(&self.original.as_ref().unwrap_or(locked).words())),
            revision: revision.map(|revision| Text::new(revision)),
            modified: modified.and_then(|millis| Timestamp::from_millis(millis).ok()),
        })
    }
}

impl Reference {
    /// As people write it.
    fn words(&self) -> String {
        let Self { kind, owner, repo, branch, url, path, id, .. } = self;
        let place = match (owner, repo, url.as_ref().or(path.as_ref()).or(id.as_ref())) {
            (Some(owner), Some(repo), _) => format!("{owner}/{repo}"),
            (_, _, Some(place)) => place.clone(),
            (_, _, None) => return kind.clone(),
        };
        let branch = branch.as_ref().map_or(String::new(), |branch| format!("/{branch}"));
        match kind.as_str() {
            "indirect" => format!("{place}{branch}"),
            "tarball" | "file" => place,
            "git" | "hg" => format!("{kind}+{place}{}", branch.replacen('/', "?ref=", 1)),
            _ => format!("{kind}:{place}{branch}"),
        }
    }
}
