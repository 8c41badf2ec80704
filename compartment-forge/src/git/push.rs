//! Moves a branch of the remote, if it is where it was seen.

use std::time::Instant;

use compartment_core::{ChannelName, Commit};
use compartment_local::credentials::without_credentials;
use compartment_local::run::Output;

use super::mirror::{Call, REMOTE};
use super::trouble::Trouble;

/// What the remote said to a push.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Pushed {
    /// The branch is there.
    Done,
    /// No, for this reason; nothing has changed.
    Rejected(String),
}

impl Call<'_> {
    /// Moves a channel's branch from where it was seen to a commit. That nobody pushed meanwhile is for the remote
    /// to judge, at the moment of the push. After `until` nothing is pushed any more.
    pub(super) fn push(
        &self,
        channel: &ChannelName,
        from: &Commit,
        to: &Commit,
        until: Instant,
    ) -> Result<Pushed, Trouble> {
        if Instant::now() >= until {
            let took = format!("{} took so long to be read that nothing was pushed", self.setup.remote);
            return Err(Trouble::unreachable(&took));
        }
        let branch = self.setup.config.branch(channel);
        let lease = format!("--force-with-lease=refs/heads/{branch}:{from}");
        let refspec = format!("{to}:refs/heads/{branch}");
        let mut args = PUSH.to_vec();
        args.extend([lease.as_str(), REMOTE, &refspec]);
        let output = self.call(&args)?;
        match answer(&output) {
            Some(pushed) => Ok(pushed),
            None => Err(Trouble::unreachable(&format!(
                "{} did not say whether it took the push: {}",
                self.setup.remote,
                complaint(&output.stderr)
            ))),
        }
    }
}

const PUSH: [&str; 7] = [
    "push",
    "--porcelain",
    "--no-verify",
    "--no-follow-tags",
    "--no-signed",
    "--recurse-submodules=no",
    "--no-progress",
];

/// What came of it; nothing where that is not known.
fn answer(output: &Output) -> Option<Pushed> {
    if output.success() {
        return Some(Pushed::Done);
    }
    let stdout = String::from_utf8_lossy(&output.stdout);
    let rejected = stdout.lines().find_map(|line| line.strip_prefix("!\t")?.split('\t').nth(1));
    match rejected {
        // It took it, and broke off before it said so.
        Some(reason) if reason.starts_with("[remote failure]") => None,
        Some(reason) => {
            let told = output.stderr.lines().filter_map(|line| line.strip_prefix("remote:"));
            let told = told.map(str::trim).find(|told| !told.is_empty());
            let told = told.map_or(String::new(), |told| format!(": {}", without_credentials(told)));
            Some(Pushed::Rejected(format!("{reason}{told}")))
        }
        None => {
            let may_not = |line: &&str| MAY_NOT.iter().any(|may_not| line.contains(may_not));
            let line = output.stderr.lines().map(str::trim).find(may_not)?;
            Some(Pushed::Rejected(without_credentials(line)))
        }
    }
}

/// What git says where the remote lets nobody in, or not this one.
const MAY_NOT: [&str; 5] = [
    "Authentication failed",
    "terminal prompts disabled",
    "returned error: 401",
    "returned error: 403",
    "Permission denied",
];

/// The line that says what is wrong.
fn complaint(stderr: &str) -> String {
    let marked = |line: &&str| line.starts_with("fatal:") || line.starts_with("error:");
    let mut lines = stderr.lines().map(str::trim).filter(|line| !line.is_empty());
    let found = lines.clone().find(marked).or_else(|| lines.next_back()).unwrap_or("it said nothing");
    without_credentials(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(code: i32, stdout: &str, stderr: &str) -> Option<Pushed> {
        answer(&Output { code: Some(code), stdout: stdout.into(), stderr: stderr.to_owned() })
    }

    #[test]
    fn only_a_clear_no_is_one() {
        let to = "To https://git.example/x\n";
        assert_eq!(told(0, to, ""), Some(Pushed::Done));
        let stale = format!("{to}!\tabc:refs/heads/main\t[rejected] (stale info)\nDone\n");
        assert_eq!(
            told(1, &stale, "error: failed to push some refs"),
            Some(Pushed::Rejected("[rejected] (stale info)".to_owned()))
        );
        let hook =
            format!("{to}!\tabc:refs/heads/main\t[remote rejected] (pre-receive hook declined)\nDone\n");
        assert_eq!(
            told(1, &hook, "remote: \nremote: main is protected\nerror: failed to push"),
            Some(Pushed::Rejected(
                "[remote rejected] (pre-receive hook declined): main is protected".to_owned()
            ))
        );
        let lost = format!("{to}!\tabc:refs/heads/main\t[remote failure] (remote failed to report status)\n");
        assert_eq!(told(1, &lost, ""), None);
        assert_eq!(told(128, "", "fatal: the remote end hung up unexpectedly"), None);
        let key = "git@host: Permission denied (publickey).\nfatal: Could not read from remote repository.";
        let no = "git@host: Permission denied (publickey).";
        assert_eq!(told(128, "", key), Some(Pushed::Rejected(no.to_owned())));
        assert_eq!(
            told(128, "", "fatal: Authentication failed for 'https://a:b@git.example/x/'"),
            Some(Pushed::Rejected("fatal: Authentication failed for 'https://…@git.example/x/'".to_owned()))
        );
    }
}
