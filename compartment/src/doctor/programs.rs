//! The programs that are called: whether they are there, and new enough.

use std::time::Duration;

use compartment_local::run::{Output, RunError, Stop, run};
use subprocess::Exec;

use super::finding::Finding;

/// How long a program may take to say its version.
const WITHIN: Duration = Duration::from_secs(10);

/// The oldest git that is used.
const OLDEST_GIT: (u32, u32) = (2, 38);

/// git, and whether it is new enough. Where nothing needs it, that it is missing is no error.
pub(super) fn git(needed: bool, stop: &Stop) -> Finding {
    let (major, minor) = OLDEST_GIT;
    let remedy = format!("install git {major}.{minor} or newer, or add its folder to PATH");
    let said = match version("git", "--version", stop) {
        Ok(said) => said,
        Err(why) if needed => return Finding::bad("git", why, remedy),
        Err(why) => return Finding::doubt("git", why, remedy),
    };
    match numbers(&said) {
        Some(found) if found < OLDEST_GIT => {
            Finding::bad("git", format!("{said} is too old: {major}.{minor} is needed"), remedy)
        }
        Some(_) => Finding::good("git", said),
        None => Finding::doubt("git", format!("it says no version: {said}"), remedy),
    }
}

/// OpenSSH's client.
pub(super) fn ssh(needed: bool, stop: &Stop) -> Finding {
    let remedy =
        "install OpenSSH's client, or add its folder to PATH; only hosts and repositories over ssh need it";
    match version("ssh", "-V", stop) {
        Ok(said) => Finding::good("ssh", said),
        Err(why) if needed => Finding::bad("ssh", why, remedy),
        Err(why) => Finding::doubt("ssh", why, remedy),
    }
}

/// The line in which a program says its version.
fn version(program: &str, option: &str, stop: &Stop) -> Result<String, String> {
    let ended = run(program, Exec::cmd(program).arg(option), WITHIN, stop);
    let Output { code, stdout, stderr } = match ended {
        Ok(ended) => ended,
        Err(RunError::Start { source, .. }) => {
            return Err(format!("there is no program `{program}`: {source}"));
        }
        Err(error) => return Err(error.to_string()),
    };
    // ssh says it where others complain.
    let said = String::from_utf8_lossy(&stdout).into_owned() + &stderr;
    match (code, said.lines().next().map(str::trim)) {
        (Some(0), Some(line)) if !line.is_empty() => Ok(line.to_owned()),
        _ => Err(format!("`{program} {option}` fails")),
    }
}

/// The first two numbers of a version.
fn numbers(said: &str) -> Option<(u32, u32)> {
    let version = said.split_whitespace().find(|word| word.starts_with(|c: char| c.is_ascii_digit()))?;
    let mut parts = version.split('.').map(str::parse);
    Some((parts.next()?.ok()?, parts.next()?.ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_version_is_read_from_what_git_says() {
        for (said, version) in [
            ("git version 2.39.5", Some((2, 39))),
            ("git version 2.39.5 (Apple Git-154)", Some((2, 39))),
            ("git version 2.50.1.windows.1", Some((2, 50))),
            ("git version 3.0.rc1", Some((3, 0))),
            ("git", None),
            ("git version 2", None),
        ] {
            assert_eq!(numbers(said), version, "{said}");
        }
    }
}
