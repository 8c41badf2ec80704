//! A repository, and somebody who works in it.

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use async_trait::async_trait;
use compartment_core::{Commit, PrId};
use compartment_forge::git::{GitConfig, GitForge, PullRequestRefs};
use compartment_local::git::Git;
use compartment_local::run::Stop;
use compartment_runtime::Forge;
use compartment_runtime::testing::forges::{Ability, Files, World, lock};
use tempfile::TempDir;

/// A bare repository, a clone that people work in, and the folder of the forge's mirror.
pub(crate) struct Repository {
    pub(crate) folder: TempDir,
    pub(crate) config: GitConfig,
    /// Whether pull requests are numbers or branches.
    numbers: bool,
    git: Git,
    opened: AtomicU32,
}

impl Repository {
    /// With its first commit, reached as a file.
    pub(crate) fn new() -> Self {
        let this = Self::empty("sha1");
        this.commit("First", &[("flake.lock", Some(&lock("1111")))]);
        this.push_head("refs/heads/main");
        this
    }

    /// Without any commit.
    pub(crate) fn empty(format: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let git = Git::isolated(folder.path(), Stop::default());
        let (bare, work) = (folder.path().join("bare.git"), folder.path().join("work"));
        for (path, kind) in [(&bare, "--bare"), (&work, "--quiet")] {
            let format = format!("--object-format={format}");
            let args = ["init", "--quiet", kind, "--initial-branch=main", &format, path.to_str().unwrap()];
            git.ok(folder.path(), &args).unwrap();
        }
        for (key, value) in [("http.receivepack", "true"), ("receive.autogc", "false")] {
            git.ok(&bare, &["config", key, value]).unwrap();
        }
        git.ok(&work, &["remote", "add", "origin", bare.to_str().unwrap()]).unwrap();
        let mut config = GitConfig::new(format!("file://{}", bare.display()), folder.path().join("forge"));
        config.pull_requests.push(PullRequestRefs::new("refs/pull/*/head"));
        config.url = Some("https://git.example/pulls/{pr}".to_owned());
        Self { folder, config, numbers: false, git, opened: AtomicU32::new(0) }
    }

    /// The same, with pull requests that have numbers, at another address.
    pub(crate) fn at(mut self, remote: &str) -> Self {
        remote.clone_into(&mut self.config.remote);
        self.numbers = true;
        self
    }

    pub(crate) fn bare(&self) -> PathBuf {
        self.folder.path().join("bare.git")
    }

    fn work(&self) -> PathBuf {
        self.folder.path().join("work")
    }

    pub(crate) fn mirror(&self) -> PathBuf {
        self.folder.path().join("forge/mirror.git")
    }

    pub(crate) fn open_forge(&self) -> GitForge {
        GitForge::open(self.config.clone(), Stop::default()).unwrap()
    }

    /// In the bare repository.
    pub(crate) fn git(&self, args: &[&str]) -> String {
        self.git.line(&self.bare(), args).unwrap()
    }

    /// In the clone.
    pub(crate) fn in_work(&self, args: &[&str]) -> String {
        self.git.line(&self.work(), args).unwrap()
    }

    /// Takes what the bare repository has, and stands at one of its refs.
    pub(crate) fn stand_at(&self, name: &str) {
        self.in_work(&["fetch", "--quiet", "origin", "+refs/*:refs/remotes/all/*"]);
        let name = format!("refs/remotes/all/{}", name.strip_prefix("refs/").unwrap());
        self.in_work(&["checkout", "--quiet", "--force", "--detach", &name]);
    }

    pub(crate) fn commit(&self, title: &str, files: Files<'_>) -> Commit {
        for (path, content) in files {
            let path = self.work().join(path);
            match content {
                Some(content) => {
                    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
                    std::fs::write(path, content).unwrap();
                }
                // It may never have been there.
                None => drop(std::fs::remove_file(path)),
            }
        }
        self.in_work(&["add", "--all"]);
        self.in_work(&["commit", "--quiet", "--allow-empty", "-m", title]);
        self.head_of_work()
    }

    pub(crate) fn head_of_work(&self) -> Commit {
        Commit::new(&self.in_work(&["rev-parse", "HEAD"])).unwrap()
    }

    pub(crate) fn push_head(&self, name: &str) {
        self.in_work(&["push", "--quiet", "--force", "origin", &format!("HEAD:{name}")]);
    }

    pub(crate) fn at_ref(&self, name: &str) -> Commit {
        Commit::new(&self.git(&["rev-parse", "--verify", name])).unwrap()
    }

    pub(crate) fn pr_ref(&self, pr: &PrId) -> String {
        match self.numbers {
            true => format!("refs/pull/{pr}/head"),
            false => format!("refs/heads/{pr}"),
        }
    }

    /// Makes a commit that `main` can be moved to.
    pub(crate) fn prepare(&self, files: Files<'_>) -> Commit {
        self.stand_at("refs/heads/main");
        let commit = self.commit("Somebody's work", files);
        self.push_head("refs/meanwhile/main");
        commit
    }

    /// A hook of the bare repository that runs once.
    pub(crate) fn hook_once(&self, name: &str, script: &str) {
        let path = self.bare().join("hooks").join(name);
        write_script(&path, &format!("#!/bin/sh\nrm -f \"$0\"\n{script}\n"));
    }
}

pub(crate) fn write_script(path: &Path, script: &str) {
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    std::fs::write(path, script).unwrap();
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o755)).unwrap();
}

#[async_trait]
impl World for Repository {
    fn can(&self, what: Ability) -> bool {
        match what {
            Ability::LoseAnswer | Ability::PushDuring => true,
            Ability::OwnTitles => false,
        }
    }

    async fn forge(&self) -> Arc<dyn Forge> {
        Arc::new(self.open_forge())
    }

    async fn push(&self, files: Files<'_>) -> Commit {
        self.stand_at("refs/heads/main");
        let commit = self.commit("Somebody's work", files);
        self.push_head("refs/heads/main");
        commit
    }

    async fn tip(&self) -> Commit {
        self.at_ref("refs/heads/main")
    }

    async fn parents(&self, commit: &Commit) -> Vec<Commit> {
        let line = self.git(&["log", "-n1", "--format=%P", &commit.to_string()]);
        line.split_whitespace().map(|hex| Commit::new(hex).unwrap()).collect()
    }

    async fn message(&self, commit: &Commit) -> String {
        self.git(&["log", "-n1", "--format=%B", &commit.to_string()])
    }

    async fn file(&self, commit: &Commit, path: &str) -> Option<String> {
        let output = self.git.call(&self.bare(), &["cat-file", "blob", &format!("{commit}:{path}")]).unwrap();
        output.success().then(|| String::from_utf8(output.stdout).unwrap())
    }

    async fn open(&self, title: &str, files: Files<'_>) -> PrId {
        let n = self.opened.fetch_add(1, Ordering::Relaxed) + 41;
        let pr = match self.numbers {
            true => PrId::from(u64::from(n)),
            false => PrId::new(&format!("update/n{n}")).unwrap(),
        };
        self.stand_at("refs/heads/main");
        self.commit(title, files);
        self.push_head(&self.pr_ref(&pr));
        pr
    }

    async fn move_head(&self, pr: &PrId, files: Files<'_>) -> Commit {
        self.stand_at(&self.pr_ref(pr));
        let commit = self.commit("More of it", files);
        self.push_head(&self.pr_ref(pr));
        commit
    }

    async fn head(&self, pr: &PrId) -> Commit {
        self.at_ref(&self.pr_ref(pr))
    }

    async fn close(&self, pr: &PrId) {
        self.git(&["update-ref", "-d", &self.pr_ref(pr)]);
    }

    async fn merge_elsewhere(&self, pr: &PrId) -> Commit {
        let head = self.head(pr).await.to_string();
        self.stand_at("refs/heads/main");
        self.in_work(&["merge", "--quiet", "--no-ff", "-m", "Merged by hand", &head]);
        self.push_head("refs/heads/main");
        self.close(pr).await;
        self.head_of_work()
    }

    async fn lose_next_answer(&self) {
        // git tells whoever pushed after this hook: it no longer does.
        self.hook_once("post-receive", "kill -KILL $PPID");
    }

    async fn push_during_next_order(&self, files: Files<'_>) -> Commit {
        let commit = self.prepare(files);
        let push = format!("unset GIT_QUARANTINE_PATH\ngit update-ref refs/heads/main {commit}");
        self.hook_once("pre-receive", &push);
        commit
    }

    async fn present(&self, present: bool) {
        let away = self.folder.path().join("away.git");
        match present {
            true => std::fs::rename(away, self.bare()).unwrap(),
            false => std::fs::rename(self.bare(), away).unwrap(),
        }
    }
}
