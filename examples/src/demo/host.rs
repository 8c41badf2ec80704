//! A host: a checkout, a folder laid out like a machine's root, and the operations that it can do.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use compartment_core::event::{Deployer, GenerationNumber, RunningSystem, Said};
use compartment_core::{HostId, Text};
use subprocess::Exec;

use super::DemoError;
use super::repository::Repository;
use compartment_local::git::{Git, GitError};
use compartment_local::observe::{Checkout, Places};
use compartment_local::run::{Output, RunError, run};

/// How long a script may take; each needs a moment.
const LIMIT: Duration = Duration::from_secs(60);

/// One host of the demo.
#[derive(Debug)]
pub(super) struct Host {
    pub(super) id: HostId,
    pub(super) checkout: Checkout,
    root: PathBuf,
    packages: PathBuf,
}

impl Host {
    /// Clones the repository for a host that runs nothing yet.
    pub(super) fn create(
        git: &Git,
        repository: &Repository,
        top: &Path,
        name: &str,
    ) -> Result<Self, DemoError> {
        let root = top.join(name).join("root");
        fs::create_dir_all(&root).map_err(|source| DemoError::Folder { path: root.clone(), source })?;
        Ok(Self {
            id: HostId::new(name)?,
            checkout: repository.clone_to(git, &top.join(name).join("config"))?,
            root,
            packages: repository.packages().to_owned(),
        })
    }

    /// Where its running system is found.
    pub(super) fn places(&self) -> Places {
        Places::under(&self.root, None, None)
    }

    /// What runs.
    pub(super) fn running(&self) -> Result<Option<RunningSystem>, DemoError> {
        Ok(self.places().running_system()?)
    }

    /// Brings the checkout to the tip of `main`.
    pub(super) fn pull(&self, git: &Git) -> Result<Said, DemoError> {
        let top = self.checkout.top();
        let pulled = git
            .ok(top, &["fetch", "--quiet", "origin", "main"])
            .and_then(|_| git.ok(top, &["reset", "--quiet", "--hard", "FETCH_HEAD"]));
        match pulled {
            Ok(_) => Ok(Said::PullOk {
                commit: self.checkout.commit(git)?,
                lock_hash: self.checkout.lock_hash(git)?,
                dirty: Some(false),
            }),
            Err(GitError::Failed { code: exit_code, error, .. }) => {
                Ok(Said::PullFail { exit_code, error: Some(error) })
            }
            Err(error) => Err(error.into()),
        }
    }

    /// Builds and activates what the checkout says.
    pub(super) fn switch(&self, git: &Git) -> Result<Said, DemoError> {
        let (commit, lock_hash) = (Some(self.checkout.commit(git)?), self.checkout.lock_hash(git)?);
        let before = self.running()?;
        let output = self.script(git, "switch", &[])?;
        let system = self.running()?;
        if !output.success() {
            return Ok(failed(Deployer::Switch, &output, before.as_ref(), system));
        }
        let system = system.map(Box::new);
        Ok(Said::DeployOk { kind: Deployer::Switch, commit, lock_hash, dirty: Some(false), system })
    }

    /// Activates an earlier generation. Which commit that is, the system says itself.
    pub(super) fn rollback(&self, git: &Git, to: GenerationNumber) -> Result<Said, DemoError> {
        let before = self.running()?;
        let output = self.script(git, "rollback", &[&to.to_string()])?;
        let system = self.running()?;
        if !output.success() {
            return Ok(failed(Deployer::Rollback, &output, before.as_ref(), system));
        }
        let system = system.map(Box::new);
        Ok(Said::DeployOk { kind: Deployer::Rollback, commit: None, lock_hash: None, dirty: None, system })
    }

    /// Runs every script in `tests`: all must pass.
    pub(super) fn test(&self, git: &Git) -> Result<Said, DemoError> {
        let (mut total, mut failed, mut error) = (0, Vec::new(), None);
        for name in self.tests()? {
            total += 1;
            let output = self.script(git, &format!("tests/{name}"), &[])?;
            if !output.success() {
                failed.push(Text::cut(&name, 200));
                error.get_or_insert_with(|| output.last_words());
            }
        }
        if failed.is_empty() {
            return Ok(Said::TestPass { total });
        }
        let passed = total.saturating_sub(u32::try_from(failed.len()).unwrap_or(total));
        Ok(Said::TestFail { passed, total, failed, error })
    }

    fn tests(&self) -> Result<Vec<String>, DemoError> {
        let path = self.checkout.top().join("tests");
        let folder = |source| DemoError::Folder { path: path.clone(), source };
        let mut names = Vec::new();
        for entry in fs::read_dir(&path).map_err(folder)? {
            names.push(entry.map_err(folder)?.file_name().to_string_lossy().into_owned());
        }
        names.sort();
        Ok(names)
    }

    /// Runs a script of the checkout as `SCRIPT HOST ROOT …`.
    fn script(&self, git: &Git, name: &str, more: &[&str]) -> Result<Output, RunError> {
        // Through `sh`: a temporary folder may be mounted so that nothing in it can be executed.
        let exec = Exec::cmd("sh")
            .arg(self.checkout.top().join(name))
            .arg(self.id.as_str())
            .arg(&self.root)
            .args(more.iter().copied())
            .cwd(self.checkout.top());
        let exec = git.surround(exec).env("NIXPKGS", &self.packages);
        run(&format!("{name} on {}", self.id), exec, LIMIT, git.stop())
    }
}

fn failed(
    kind: Deployer,
    output: &Output,
    before: Option<&RunningSystem>,
    after: Option<RunningSystem>,
) -> Said {
    Said::DeployFail {
        kind,
        exit_code: output.code,
        error: Some(output.last_words()),
        activated: Some(before != after.as_ref()),
        system: after.map(Box::new),
    }
}
