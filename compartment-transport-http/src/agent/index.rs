//! Keeps the agent's own clone cheap to look at.
//!
//! git believes its index about a file that is older than the index alone. A clone or a pull writes many files in the
//! same second as the index, and looks write nothing: each of them would read those files, for ever. So the index is
//! written once more when a second has gone by.

use std::fs;
use std::path::PathBuf;
use std::time::{Duration, SystemTime};

use compartment_local::git::Git;
use compartment_local::run::Stop;
use tracing::debug;

use super::{Checkout, Config};

/// How long it may take: it reads every file once.
const LIMIT: Duration = Duration::from_secs(60);

/// By how much the index has to be newer than the files that it describes: git compares whole seconds.
const APART: Duration = Duration::from_secs(1);

/// The index of the agent's own clone.
pub(super) struct Index {
    /// The clone; nothing where it is somebody else's.
    clone: Option<PathBuf>,
    git: Git,
    /// The index that needs nothing more, by when it was written.
    done: Option<SystemTime>,
}

impl Index {
    /// A checkout that the agent does not clone by itself is somebody else's: there it writes nothing unasked.
    pub(super) fn new(config: &Config) -> Self {
        let own = |checkout: &&Checkout| checkout.remote.is_some();
        let clone = config.checkout.as_ref().filter(own).map(|checkout| checkout.path.clone());
        Self { clone, git: Git::of_the_user(Stop::default()).within(LIMIT), done: None }
    }

    /// Writes the index once more where somebody wrote it since the last time, and at least a second ago.
    ///
    /// Not to be called while an operation runs: it would find the index locked.
    pub(super) async fn tidy(&mut self) {
        let written = self.written();
        let old = written.is_some_and(|at| at.elapsed().is_ok_and(|age| age >= APART));
        if !old || written == self.done {
            return;
        }
        let Some(clone) = self.clone.clone() else { return };
        let git = self.git.clone();
        let refresh = move || git.call(&clone, &["update-index", "-q", "--refresh"]);
        match tokio::task::spawn_blocking(refresh).await {
            Ok(Ok(output)) if output.success() => debug!("the clone's index is fresh"),
            // Somebody is at work there, or it is no clone any more: the next who writes it gives occasion again.
            Ok(Ok(output)) => debug!(said = %output.stderr, "cannot refresh the clone's index"),
            Ok(Err(error)) => debug!(%error, "cannot refresh the clone's index"),
            Err(error) => debug!(%error, "cannot refresh the clone's index"),
        }
        self.done = self.written();
    }

    /// When the index was written.
    fn written(&self) -> Option<SystemTime> {
        fs::metadata(self.clone.as_ref()?.join(".git/index")).and_then(|found| found.modified()).ok()
    }

    /// Ends what it is about to do.
    pub(super) fn stop(&self) {
        self.git.stop().ask();
    }
}

#[cfg(test)]
mod tests {
    use std::fs::File;
    use std::path::Path;

    use tempfile::TempDir;

    use super::*;

    const HOUR: Duration = Duration::from_secs(3600);

    /// A clone with a file, and its agent's settings.
    struct Own {
        folder: TempDir,
        git: Git,
        config: Config,
    }

    impl Own {
        fn new(remote: &str) -> Self {
            let folder = tempfile::tempdir().unwrap();
            let text = format!(
                "host = 'gpc0'\nstate = 'state'\n[hub]\nurl = 'http://127.0.0.1:1'\ntoken_file = 'token'\n\
                 [checkout]\npath = 'clone'\n{remote}"
            );
            let config = Config::parse(&text, folder.path()).unwrap();
            let git = Git::isolated(folder.path(), Stop::default());
            git.ok(folder.path(), &["init", "--quiet", "clone"]).unwrap();
            let this = Self { folder, git, config };
            fs::write(this.clone().join("flake.lock"), "one").unwrap();
            this.git.ok(&this.clone(), &["add", "flake.lock"]).unwrap();
            this
        }

        fn clone(&self) -> PathBuf {
            self.folder.path().join("clone")
        }

        fn index(&self) -> Index {
            Index { git: self.git.clone(), ..Index::new(&self.config) }
        }

        fn written(&self) -> SystemTime {
            modified(&self.clone().join(".git/index"))
        }

        /// As if the index had been written then.
        fn write(&self, at: SystemTime) {
            let index = File::options().write(true).open(self.clone().join(".git/index")).unwrap();
            index.set_modified(at).unwrap();
        }

        /// Whether git has to read the file to know it.
        fn is_racy(&self) -> bool {
            seconds(modified(&self.clone().join("flake.lock"))) >= seconds(self.written())
        }
    }

    fn modified(path: &Path) -> SystemTime {
        fs::metadata(path).unwrap().modified().unwrap()
    }

    fn seconds(time: SystemTime) -> u64 {
        time.duration_since(SystemTime::UNIX_EPOCH).unwrap().as_secs()
    }

    #[tokio::test]
    async fn an_index_as_old_as_its_files_is_written_once_more() {
        let own = Own::new("remote = 'https://git.example/config.git'");
        let file = File::options().write(true).open(own.clone().join("flake.lock")).unwrap();
        let then = SystemTime::now() - HOUR;
        file.set_modified(then).unwrap();
        own.git.ok(&own.clone(), &["add", "flake.lock"]).unwrap();
        own.write(then);
        assert!(own.is_racy());
        let mut index = own.index();
        index.tidy().await;
        assert!(!own.is_racy());
        // As it was: what is done is not done again.
        own.write(then);
        index.done = Some(then);
        index.tidy().await;
        assert_eq!(own.written(), then);
    }

    #[tokio::test]
    async fn an_index_that_is_being_written_or_somebody_elses_is_left_alone() {
        let own = Own::new("remote = 'https://git.example/config.git'");
        let soon = SystemTime::now() + HOUR;
        own.write(soon);
        own.index().tidy().await;
        assert_eq!(own.written(), soon);
        let others = Own::new("");
        let then = SystemTime::now() - HOUR;
        others.write(then);
        others.index().tidy().await;
        assert_eq!(others.written(), then);
        fs::remove_dir_all(own.clone()).unwrap();
        own.index().tidy().await;
        assert!(!own.clone().exists());
    }
}
