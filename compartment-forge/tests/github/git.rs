//! A bare repository, worked in as people's pushes would have it.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

/// A bare repository.
#[derive(Clone, Debug)]
pub(crate) struct Bare(pub(crate) PathBuf);

impl Bare {
    /// One without commits.
    pub(crate) fn new(at: &Path) -> Self {
        let bare = Self(at.to_owned());
        std::fs::create_dir_all(at).unwrap();
        bare.git(&["init", "--quiet", "--bare", "--initial-branch", "main", "."]);
        bare
    }

    fn call(&self, args: &[&str], input: &[u8]) -> Output {
        let mut child = Command::new("git")
            .args(args)
            .current_dir(&self.0)
            .env("GIT_DIR", &self.0)
            .env("GIT_INDEX_FILE", self.0.join("index-of-the-double"))
            .env("GIT_CONFIG_GLOBAL", "/dev/null")
            .env("GIT_CONFIG_NOSYSTEM", "1")
            .envs([("GIT_AUTHOR_NAME", "Mona"), ("GIT_AUTHOR_EMAIL", "mona@example.org")])
            .envs([("GIT_COMMITTER_NAME", "Mona"), ("GIT_COMMITTER_EMAIL", "mona@example.org")])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        child.stdin.take().unwrap().write_all(input).unwrap();
        child.wait_with_output().unwrap()
    }

    /// What git answers, where it does.
    pub(crate) fn ask(&self, args: &[&str]) -> Option<String> {
        let output = self.call(args, b"");
        output.status.success().then(|| String::from_utf8(output.stdout).unwrap().trim_end().to_owned())
    }

    /// What git answers.
    pub(crate) fn git(&self, args: &[&str]) -> String {
        self.git_with(args, b"")
    }

    fn git_with(&self, args: &[&str], input: &[u8]) -> String {
        let output = self.call(args, input);
        assert!(output.status.success(), "git {args:?}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap().trim_end().to_owned()
    }

    /// A file of a commit.
    pub(crate) fn file(&self, commit: &str, path: &str) -> Option<Vec<u8>> {
        let output = self.call(&["cat-file", "blob", &format!("{commit}:{path}")], b"");
        output.status.success().then_some(output.stdout)
    }

    /// A commit with these changes.
    pub(crate) fn commit(
        &self,
        parent: Option<&str>,
        message: &str,
        files: &[(&str, Option<&str>)],
    ) -> String {
        match parent {
            Some(parent) => self.git(&["read-tree", parent]),
            None => self.git(&["read-tree", "--empty"]),
        };
        for (path, content) in files {
            match content {
                Some(content) => {
                    let blob = self.git_with(&["hash-object", "-w", "--stdin"], content.as_bytes());
                    self.git(&["update-index", "--add", "--cacheinfo", &format!("100644,{blob},{path}")])
                }
                None => {
                    let line = format!("0 {}\t{path}\n", "0".repeat(40));
                    self.git_with(&["update-index", "--index-info"], line.as_bytes())
                }
            };
        }
        let tree = self.git(&["write-tree"]);
        match parent {
            Some(parent) => self.git_with(&["commit-tree", &tree, "-p", parent], message.as_bytes()),
            None => self.git_with(&["commit-tree", &tree], message.as_bytes()),
        }
    }

    /// The tree of a merge; nothing where there is a conflict.
    pub(crate) fn merged_tree(&self, base: &str, head: &str) -> Option<String> {
        self.ask(&["merge-tree", "--write-tree", base, head])
            .map(|said| said.lines().next().unwrap().to_owned())
    }

    /// A merge commit.
    pub(crate) fn merge(&self, tree: &str, base: &str, head: &str, message: &str) -> String {
        self.git_with(&["commit-tree", tree, "-p", base, "-p", head], message.as_bytes())
    }

    /// Moves a ref.
    pub(crate) fn point(&self, reference: &str, commit: &str) {
        self.git(&["update-ref", reference, commit]);
    }

    /// Where a ref or a commit's name leads.
    pub(crate) fn resolve(&self, name: &str) -> Option<String> {
        self.ask(&["rev-parse", "--verify", "--quiet", &format!("{name}^{{commit}}")])
    }
}
