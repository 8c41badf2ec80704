//! The agent as a service of systemd: the unit that comes with this program, with its paths as they are here.

use std::fs;
use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::time::Duration;

use compartment_local::run::{RunError, Stop, run};
use compartment_runtime::replace;
use subprocess::Exec;

use super::EnrolError;
use super::machine::Places;

/// The unit, as it comes with this program: a link to packaging/systemd.
const UNIT: &str = include_str!("compartment-agent.service");

/// Its name.
pub(super) const NAME: &str = "compartment-agent.service";

/// How long `systemctl` may take: a service that is restarted has 90 s to end.
const WITHIN: Duration = Duration::from_secs(120);

/// What of the unit is other on each machine.
const START: &str = "\nExecStart=/usr/local/bin/compartment agent --config /etc/compartment/agent.toml\n";
const CREDENTIAL: &str = "\nLoadCredential=token:/etc/compartment/agent.token\n";

/// The unit that starts this program with these settings.
pub(super) fn unit(program: &Path, places: &Places) -> String {
    let (program, config) = (word(program), word(&places.config));
    let start = format!("\nExecStart={program} agent --config {config}\n");
    // All of it is the path; only specifiers mean something in it.
    let credential =
        format!("\nLoadCredential=token:{}\n", places.token.to_string_lossy().replace('%', "%%"));
    UNIT.replace(START, &start).replace(CREDENTIAL, &credential)
}

/// A path as a word of a command line of systemd.
fn word(path: &Path) -> String {
    let path = path.to_string_lossy().replace('%', "%%").replace('$', "$$");
    let is_plain = |c: char| c.is_alphanumeric() || "/._-+@:,=%$".contains(c);
    match path.chars().all(is_plain) {
        true => path,
        false => format!("\"{}\"", path.replace('\\', "\\\\").replace('"', "\\\"")),
    }
}

/// Puts the unit where systemd finds it, and starts it anew, now and with the machine.
pub(super) fn start(unit: &Path, text: &str, stop: &Stop) -> Result<(), EnrolError> {
    let written = replace(unit, |file| {
        file.write_all(text.as_bytes())?;
        // Everybody may read a unit.
        file.set_permissions(fs::Permissions::from_mode(0o644))
    });
    written.map_err(|source| EnrolError::file("write", unit, source))?;
    for args in [&["daemon-reload"][..], &["enable", NAME], &["restart", NAME]] {
        let exec = Exec::cmd("systemctl").args(args);
        let words = args.join(" ");
        let ended = match run("systemctl", exec, WITHIN, stop) {
            Err(RunError::Interrupted) => return Err(EnrolError::Interrupted),
            Err(error) => return Err(EnrolError::Start(format!("`systemctl {words}`: {error}"))),
            Ok(ended) => ended,
        };
        if !ended.success() {
            let said = ended.last_words();
            return Err(EnrolError::Start(format!("`systemctl {words}` failed: {said}")));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn places(folder: &str) -> Places {
        let at = |name: &str| Path::new(folder).join(name);
        Places {
            config: at("agent.toml"),
            token: at("agent.token"),
            pending: at("agent.token.enrolling"),
            state: at("state"),
        }
    }

    #[test]
    fn the_unit_is_the_one_that_is_packaged_with_paths_of_its_own() {
        let usual = unit(Path::new("/usr/local/bin/compartment"), &places("/etc/compartment"));
        assert_eq!(usual, UNIT);
        let other = unit(Path::new("/opt/my programs/50%/compartment"), &places("/srv/$agent"));
        let changed: Vec<_> = other.lines().filter(|line| !UNIT.contains(line)).collect();
        assert_eq!(
            changed,
            [
                "ExecStart=\"/opt/my programs/50%%/compartment\" agent --config /srv/$$agent/agent.toml",
                "LoadCredential=token:/srv/$agent/agent.token",
            ]
        );
        assert!(other.contains("\nKillMode=process\n"), "operations outlive the agent");
    }
}
