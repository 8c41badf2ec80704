//! A repository at the double, and people who work in it.

use std::os::unix::fs::PermissionsExt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use async_trait::async_trait;
use compartment_core::{Commit, PrId};
use compartment_forge::Token;
use compartment_forge::github::{GitHubConfig, GitHubForge, Reverts};
use compartment_runtime::Forge;
use compartment_runtime::testing::forges::{Ability, Files, World, lock};
use tempfile::TempDir;

use super::double::{Pull, Repository, TOKEN, Trouble, held};
use super::git::Bare;
use super::server::server;

/// A repository of its own for each test.
pub(crate) struct GitHub {
    name: String,
    repository: Arc<Mutex<Repository>>,
    proxied: bool,
    folder: TempDir,
}

impl GitHub {
    /// A new one; through the proxy, where there is one.
    pub(crate) fn new() -> Self {
        Self::with(server().proxy.is_some())
    }

    /// A new one, asked without the proxy: some troubles do not pass it.
    pub(crate) fn plain() -> Self {
        Self::with(false)
    }

    fn with(proxied: bool) -> Self {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        let name = format!("octo/config-{}", NEXT.fetch_add(1, Ordering::Relaxed));
        let folder = tempfile::tempdir().unwrap();
        let bare = Bare::new(&folder.path().join("config.git"));
        let first = bare.commit(None, "A config", &[("flake.lock", Some(&lock("1111")))]);
        bare.point("refs/heads/main", &first);
        let repository = server().double.add(&name, bare);
        Self { name, repository, proxied, folder }
    }

    pub(crate) fn config(&self) -> GitHubConfig {
        let (owner, repository) = self.name.split_once('/').unwrap();
        let server = server();
        let api = match &server.proxy {
            Some(proxy) if self.proxied => &proxy.address,
            Some(_) | None => &server.plain,
        };
        let token = Some(Token::given(TOKEN).unwrap());
        let remote = Some(format!("file://{}", self.at().bare.0.display()));
        GitHubConfig {
            reverts: Some(Reverts { remote, ..Reverts::new(self.folder.path().join("mirror")) }),
            api: api.clone(),
            timeout: Duration::from_secs(20),
            ..GitHubConfig::new(owner, repository, token)
        }
    }

    pub(crate) fn github(&self) -> GitHubForge {
        GitHubForge::new(self.config()).unwrap()
    }

    pub(crate) fn at(&self) -> MutexGuard<'_, Repository> {
        held(&self.repository)
    }

    /// Something goes wrong with the next such request.
    pub(crate) fn trouble(&self, method: &'static str, path: &'static str, trouble: Trouble) {
        self.at().troubles.push_back((method, path, trouble));
    }

    /// Opens a pull request with a branch and title of its own.
    pub(crate) fn propose(&self, title: &str, files: Files<'_>) -> u64 {
        let mut at = self.at();
        let tip = at.bare.resolve("refs/heads/main").unwrap();
        let head = at.bare.commit(Some(&tip), title, files);
        let number = at.pulls.keys().last().map_or(1, |last| last + 1);
        let branch = format!("update/{number}");
        at.bare.point(&format!("refs/heads/{branch}"), &head);
        at.bare.point(&format!("refs/pull/{number}/head"), &head);
        let (title, base) = (title.to_owned(), "main".to_owned());
        let (labels, open, merged, state) = (Vec::new(), true, None, None);
        at.pulls.insert(number, Pull { title, branch, base, head, labels, open, merged, state });
        number
    }

    /// A hook that runs once, when somebody pushes with git.
    fn hook_once(&self, name: &str, script: &str) {
        let hooks = self.at().bare.0.join("hooks");
        std::fs::create_dir_all(&hooks).unwrap();
        std::fs::write(hooks.join(name), format!("#!/bin/sh\nrm -f \"$0\"\n{script}\n")).unwrap();
        std::fs::set_permissions(hooks.join(name), std::fs::Permissions::from_mode(0o755)).unwrap();
    }

    /// The folder that it is in.
    pub(crate) fn folder(&self) -> &std::path::Path {
        self.folder.path()
    }
}

impl Drop for GitHub {
    fn drop(&mut self) {
        if let (true, Some(proxy), false) = (self.proxied, &server().proxy, std::thread::panicking()) {
            let violations = proxy.violations(&self.name);
            assert!(violations.is_empty(), "GitHub's description does not allow it: {violations:#?}");
        }
    }
}

fn number(pr: &PrId) -> u64 {
    pr.as_str().parse().unwrap()
}

fn commit(sha: &str) -> Commit {
    Commit::new(sha).unwrap()
}

#[async_trait]
impl World for GitHub {
    fn can(&self, what: Ability) -> bool {
        match what {
            Ability::LoseAnswer | Ability::PushDuring | Ability::OwnTitles => true,
        }
    }

    async fn forge(&self) -> Arc<dyn Forge> {
        Arc::new(self.github())
    }

    async fn push(&self, files: Files<'_>) -> Commit {
        let at = self.at();
        let tip = at.bare.resolve("refs/heads/main").unwrap();
        let pushed = at.bare.commit(Some(&tip), "A push", files);
        at.bare.point("refs/heads/main", &pushed);
        commit(&pushed)
    }

    async fn tip(&self) -> Commit {
        commit(&self.at().bare.resolve("refs/heads/main").unwrap())
    }

    async fn parents(&self, of: &Commit) -> Vec<Commit> {
        let parents = self.at().bare.git(&["show", "--no-patch", "--format=%P", &of.to_string()]);
        parents.split_whitespace().map(commit).collect()
    }

    async fn message(&self, of: &Commit) -> String {
        self.at().bare.git(&["show", "--no-patch", "--format=%B", &of.to_string()])
    }

    async fn file(&self, of: &Commit, path: &str) -> Option<String> {
        self.at().bare.file(&of.to_string(), path).map(|bytes| String::from_utf8(bytes).unwrap())
    }

    async fn open(&self, title: &str, files: Files<'_>) -> PrId {
        PrId::from(self.propose(title, files))
    }

    async fn move_head(&self, pr: &PrId, files: Files<'_>) -> Commit {
        let (mut at, number) = (self.at(), number(pr));
        let head = at.bare.commit(Some(&at.pulls[&number].head), "Further", files);
        at.bare.point(&format!("refs/pull/{number}/head"), &head);
        at.pulls.get_mut(&number).unwrap().head.clone_from(&head);
        commit(&head)
    }

    async fn head(&self, pr: &PrId) -> Commit {
        commit(&self.at().pulls[&number(pr)].head)
    }

    async fn close(&self, pr: &PrId) {
        self.at().pulls.get_mut(&number(pr)).unwrap().open = false;
    }

    async fn merge_elsewhere(&self, pr: &PrId) -> Commit {
        commit(&self.at().merge(number(pr), "Merged by hand").unwrap())
    }

    async fn lose_next_answer(&self) {
        self.trouble("PUT", "/merge", Trouble::Lost);
        // git tells whoever pushed after this hook: it no longer does.
        self.hook_once("post-receive", "kill -KILL $PPID");
    }

    async fn push_during_next_order(&self, files: Files<'_>) -> Commit {
        let mut at = self.at();
        let tip = at.bare.resolve("refs/heads/main").unwrap();
        let pushed = at.bare.commit(Some(&tip), "A push", files);
        at.push_during = Some(pushed.clone());
        drop(at);
        let push = format!("unset GIT_QUARANTINE_PATH\ngit update-ref refs/heads/main {pushed}");
        self.hook_once("pre-receive", &push);
        commit(&pushed)
    }

    async fn present(&self, present: bool) {
        self.at().present = present;
    }
}
