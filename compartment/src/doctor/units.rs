//! The services of systemd, where they are installed: what of their units would keep them from their work.

use std::fs;
use std::path::{Path, PathBuf};

use super::finding::Finding;
use crate::agent::is_there;

/// Where units are, the first that has one counts. Drop-ins count from all of them.
const FOLDERS: [&str; 4] =
    ["etc/systemd/system", "run/systemd/system", "usr/lib/systemd/system", "lib/systemd/system"];

/// What gives a service a view of its own of the file system, which a switch must not have.
const OWN_VIEW: [&str; 7] = [
    "ProtectSystem",
    "ProtectHome",
    "PrivateTmp",
    "PrivateDevices",
    "ReadOnlyPaths",
    "InaccessiblePaths",
    "TemporaryFileSystem",
];

/// A unit with its drop-ins: what is set in its service, in order.
struct Unit {
    file: PathBuf,
    settings: Vec<(String, String)>,
}

impl Unit {
    /// Reads one; nothing where none is installed.
    fn read(root: &Path, name: &str) -> Option<Self> {
        let file = FOLDERS.iter().map(|folder| root.join(folder).join(name)).find(|file| file.exists())?;
        let mut settings = settings(&fs::read_to_string(&file).unwrap_or_default());
        let folders = FOLDERS.iter().map(|folder| root.join(folder).join(format!("{name}.d")));
        let mut more: Vec<_> = folders
            .filter_map(|folder| fs::read_dir(folder).ok())
            .flat_map(|entries| entries.filter_map(Result::ok).map(|entry| entry.path()))
            .filter(|path| path.extension().is_some_and(|ending| ending == "conf"))
            .collect();
        // In the order of their names, wherever they are.
        more.sort_by(|one, other| one.file_name().cmp(&other.file_name()));
        for file in more {
            settings.extend(self::settings(&fs::read_to_string(file).unwrap_or_default()));
        }
        Some(Self { file, settings })
    }

    /// What a key is set to last.
    fn get(&self, key: &str) -> Option<&str> {
        let last = self.settings.iter().rfind(|(name, _)| name == key)?;
        Some(last.1.as_str()).filter(|value| !value.is_empty())
    }

    /// The program that is started, and its arguments.
    fn start(&self) -> Option<Vec<String>> {
        let command = self.get("ExecStart")?;
        // What stands before the path says how it is started.
        let words = command.trim_start_matches(['@', '-', ':', '+', '!']).split_whitespace();
        Some(words.map(|word| word.trim_matches('"').to_owned()).collect())
    }
}

/// The keys of a unit's service.
fn settings(text: &str) -> Vec<(String, String)> {
    let (mut found, mut in_service) = (Vec::new(), false);
    // A line that ends with a backslash goes on in the next one.
    for line in text.replace("\\\n", " ").lines().map(str::trim) {
        if line.starts_with('[') {
            in_service = line == "[Service]";
        } else if let Some((key, value)) =
            line.split_once('=').filter(|_| in_service && !line.starts_with(['#', ';']))
        {
            found.push((key.trim().to_owned(), value.trim().to_owned()));
        }
    }
    found
}

/// The agent's service.
pub(super) fn agent(root: &Path) -> Vec<Finding> {
    let Some(unit) = Unit::read(root, "compartment-agent.service") else { return Vec::new() };
    let file = unit.file.display();
    let mut found = starts(&unit);
    match unit.get("KillMode") {
        Some("process") => {}
        other => {
            let words = format!(
                "KillMode={} in {file} ends the operations with the agent: a switch that restarts the agent ends itself \
                 half-way",
                other.unwrap_or("control-group, which is usual,")
            );
            found.push(Finding::bad(
                "service",
                words,
                "set KillMode=process (`systemctl edit compartment-agent`)",
            ));
        }
    }
    let own: Vec<_> =
        OWN_VIEW.into_iter().filter(|key| unit.get(key).is_some_and(|value| !is_off(value))).collect();
    if !own.is_empty() {
        let words = format!("{} in {file} hides from the machine what a switch mounts", own.join(", "));
        found.push(Finding::doubt("service", words, "take it out: a switch runs with what the agent has"));
    }
    if found.is_empty() {
        found.push(Finding::good("service", format!("{file} leaves operations alone when the agent ends")));
    }
    found
}

fn is_off(value: &str) -> bool {
    ["no", "false", "0", "off"].contains(&value.to_ascii_lowercase().as_str())
}

/// The hub's service, for a hub with this folder of data that looks at this repository.
pub(super) fn hub(root: &Path, data: &Path, remote: Option<&str>) -> Vec<Finding> {
    let Some(unit) = Unit::read(root, "compartment-hub.service") else { return Vec::new() };
    let file = unit.file.display();
    let mut found = starts(&unit);
    let start = unit.start().unwrap_or_default();
    let after = start.iter().position(|word| word == "--data").and_then(|at| start.get(at + 1));
    let given = after
        .cloned()
        .or_else(|| start.iter().find_map(|word| word.strip_prefix("--data=").map(str::to_owned)));
    let real = data.canonicalize().unwrap_or_else(|_| data.to_owned());
    let same = |given: &str| {
        Path::new(given) == data || Path::new(given).canonicalize().is_ok_and(|path| path == real)
    };
    if let Some(given) = given.filter(|given| !same(given)) {
        let words =
            format!("{file} runs a hub with its data in {given}, and {} was looked at", data.display());
        found.push(Finding::doubt("service", words, "name the folder that the service has, or look at both"));
    }
    let hidden = unit.get("ProtectHome").is_some_and(|value| !is_off(value) && value != "read-only");
    if let Some(remote) = remote.filter(|remote| hidden && remote.starts_with("/home/")) {
        let words =
            format!("{remote} is below /home, which the service does not see (ProtectHome in {file})");
        found.push(Finding::bad("service", words, "keep the repository elsewhere, such as in /srv"));
    }
    if let Some(user) = unit.get("User").filter(|user| !is_user(root, user)) {
        let words = format!("there is no user {user}, whom {file} runs the hub as");
        found.push(Finding::doubt(
            "service",
            words,
            "sudo systemd-sysusers, with packaging/sysusers.d/compartment.conf",
        ));
    }
    if found.is_empty() {
        found.push(Finding::good("service", format!("{file} starts this hub")));
    }
    found
}

/// Whether a user is there, as far as the file of users tells.
fn is_user(root: &Path, user: &str) -> bool {
    let users = fs::read_to_string(root.join("etc/passwd")).unwrap_or_default();
    users.is_empty() || users.lines().any(|line| line.split(':').next() == Some(user))
}

/// Whether what a unit starts is there.
fn starts(unit: &Unit) -> Vec<Finding> {
    let file = unit.file.display();
    let remedy = "put the program there, or have the unit start it where it is";
    let Some(program) = unit.start().and_then(|words| words.first().cloned()) else {
        return vec![Finding::bad("service", format!("{file} starts nothing"), "give it an ExecStart=")];
    };
    match is_there(&program, Path::new("/")) {
        true => Vec::new(),
        false => vec![Finding::bad(
            "service",
            format!("there is no program {program}, which {file} starts"),
            remedy,
        )],
    }
}

#[cfg(test)]
mod tests {
    use super::super::Verdict;
    use super::*;

    fn unit(text: &str, more: &[(&str, &str)]) -> tempfile::TempDir {
        let root = tempfile::tempdir().unwrap();
        let folder = root.path().join("etc/systemd/system");
        fs::create_dir_all(&folder).unwrap();
        for name in ["compartment-agent.service", "compartment-hub.service"] {
            fs::write(folder.join(name), text).unwrap();
            fs::create_dir(folder.join(format!("{name}.d"))).unwrap();
            for (file, text) in more {
                fs::write(folder.join(format!("{name}.d")).join(file), text).unwrap();
            }
        }
        root
    }

    #[test]
    fn what_is_set_last_counts_also_in_drop_ins() {
        let text = "[Unit]\nKillMode=mixed\n[Service]\n# KillMode=mixed\nExecStart=-/bin/true \\\n  --data /d\nKillMode=process\n";
        let of = |more: &[(&str, &str)]| agent(unit(text, more).path());
        let all_well =
            of(&[("a.conf", "[Service]\nKillMode=mixed\n"), ("b.conf", "[Service]\nKillMode=process\n")]);
        assert_eq!(all_well.iter().map(|found| found.verdict).collect::<Vec<_>>(), [Verdict::Ok]);
        let mixed = of(&[("a.conf", "[Service]\nKillMode=\n"), ("b.txt", "[Service]\nKillMode=process\n")]);
        assert_eq!(mixed[0].verdict, Verdict::Error);
        let root = unit(text, &[]);
        let other = hub(root.path(), Path::new("/other"), None);
        assert!(other[0].words.contains("its data in /d"), "{other:?}");
        assert_eq!(hub(root.path(), Path::new("/d"), None)[0].verdict, Verdict::Ok);
    }

    #[test]
    fn the_units_that_come_with_this_program_are_sound() {
        let packaged = |name: &str| {
            let text = fs::read_to_string(
                Path::new(env!("CARGO_MANIFEST_DIR")).join("../packaging/systemd").join(name),
            );
            text.unwrap_or_default().replace("/usr/local/bin/compartment ", "/bin/true ")
        };
        // Where this is built from its package alone, there are none.
        for name in ["compartment-agent.service", "compartment-hub.service"] {
            let text = packaged(name);
            if text.is_empty() {
                continue;
            }
            let root = unit(&text, &[]);
            let found = match name {
                "compartment-agent.service" => agent(root.path()),
                _ => hub(root.path(), Path::new("/var/lib/compartment-hub"), None),
            };
            assert_eq!(
                found.iter().map(|found| found.verdict).collect::<Vec<_>>(),
                [Verdict::Ok],
                "{found:?}"
            );
        }
    }
}
