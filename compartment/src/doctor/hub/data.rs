//! The folder of a hub's data: whose it is, who may write to it, and what it lies on.

use std::fs::{self, Metadata};
use std::io::ErrorKind;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use compartment_runtime::hub::Config;
use rustix::fs::{Access, access, statvfs};

use super::{Finding, Looked};

/// What the hub makes and reads there.
const FILES: [&str; 9] = [
    "log.sqlite",
    "log.sqlite-wal",
    "log.sqlite-shm",
    "log.sqlite.lock",
    "log.sqlite.id",
    "log.sqlite.snapshot",
    "tokens.json",
    "tokens.json.lock",
    "repository",
];

/// The folder, and whether all in it is its owner's.
pub(super) fn folder(looked: &Looked) -> Vec<Finding> {
    let path = looked.data.display();
    let found = match looked.data.metadata() {
        Ok(found) => found,
        Err(error) if error.kind() == ErrorKind::NotFound => return vec![missing(&looked.data)],
        Err(error) => {
            let remedy = "run this as root, or as the hub's user";
            return vec![Finding::bad("data", format!("{path} cannot be looked at: {error}"), remedy)];
        }
    };
    if !found.is_dir() {
        return vec![Finding::bad(
            "data",
            format!("{path} is no folder"),
            "name the folder of the hub's data with --data",
        )];
    }
    let (mode, me) = (found.mode() & 0o7777, rustix::process::geteuid().as_raw());
    let owner = user(found.uid());
    if mode & 0o022 != 0 {
        let words = format!(
            "{path} has the mode {mode:03o}, and other users may put files into it: a hub refuses it"
        );
        return vec![Finding::bad("data", words, format!("chmod go-w {path}"))];
    }
    if found.uid() != me && found.uid() != 0 && me != 0 {
        let words = format!("{path} belongs to {owner}, and a hub that you run refuses it");
        return vec![Finding::bad("data", words, format!("run the hub, and this, as {owner}"))];
    }
    if me != 0 && access(&looked.data, Access::READ_OK | Access::WRITE_OK | Access::EXEC_OK).is_err() {
        let words = format!("{path} belongs to {owner}, and you may not write to it");
        return vec![Finding::bad("data", words, format!("run the hub, and this, as {owner}"))];
    }
    let others: Vec<_> = FILES.iter().filter_map(|name| of_another(&looked.data, name, &found)).collect();
    if others.is_empty() {
        return vec![Finding::good(
            "data",
            format!("{path} belongs to {owner}, and nobody else may write to it"),
        )];
    }
    let words = format!("{path} belongs to {owner}, and what is in it does not: {}", others.join(", "));
    let remedy =
        format!("chown -R --reference={path} {path}, while no hub runs; start the hub as {owner} alone");
    vec![Finding::bad("data", words, remedy)]
}

fn missing(path: &Path) -> Finding {
    let above = path.ancestors().skip(1).find(|above| above.as_os_str().is_empty() || above.exists());
    let above = above.filter(|above| !above.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let shown = path.display();
    if let Err(error) = access(above, Access::WRITE_OK | Access::EXEC_OK) {
        let words = format!("{shown} is not there, and cannot be made in {}: {error}", above.display());
        return Finding::bad("data", words, "make it for the hub's user, with the mode 700");
    }
    let words = format!("{shown} is not there: the hub makes it at its first start");
    Finding::doubt("data", words, "where the hub has run before, name its folder with --data")
}

/// A file of the hub that belongs to another user than the folder, in words.
fn of_another(folder: &Path, name: &str, of: &Metadata) -> Option<String> {
    let found = fs::symlink_metadata(folder.join(name)).ok()?;
    (found.uid() != of.uid()).then(|| format!("{name} ({})", user(found.uid())))
}

/// A user's name, where the file of users has it.
pub(super) fn user(id: u32) -> String {
    let named = |line: &str| {
        let mut fields = line.split(':');
        let (name, number) = (fields.next()?, fields.nth(1)?);
        (number.parse() == Ok(id)).then(|| name.to_owned())
    };
    let users = fs::read_to_string("/etc/passwd").unwrap_or_default();
    users.lines().find_map(named).unwrap_or_else(|| format!("the user {id}"))
}

/// How much room there is, and whether a log can live on this file system.
pub(super) fn disk(looked: &Looked) -> Vec<Finding> {
    let Some(place) = looked.data.ancestors().find(|above| above.exists()) else { return Vec::new() };
    let mut found = Vec::new();
    match statvfs(place) {
        Ok(there) => found.push(room(there.f_bavail.saturating_mul(there.f_frsize))),
        Err(error) => {
            let words = format!("how much room there is cannot be told: {error}");
            found.push(Finding::doubt("disk", words, "see that the file system is there"));
        }
    }
    found.extend(kind_of_file_system(place));
    found
}

/// A hub takes less where less is left than its configuration says.
fn room(free: u64) -> Finding {
    let (least, mib) = (Config::default().least_space, free >> 20);
    let remedy = "make room on the file system of the data";
    if free < least {
        let words = format!(
            "{mib} MiB are left, and below {} MiB the hub takes only what people ask for and how it ends",
            least >> 20
        );
        return Finding::bad("disk", words, remedy);
    }
    match free < 4 * least {
        true => Finding::doubt(
            "disk",
            format!("{mib} MiB are left: below {} the hub takes less", least >> 20),
            remedy,
        ),
        false => Finding::good("disk", format!("{mib} MiB are left")),
    }
}

#[cfg(target_os = "linux")]
fn kind_of_file_system(place: &Path) -> Option<Finding> {
    #[expect(clippy::cast_sign_loss, clippy::cast_possible_truncation, reason = "it is a pattern of 32 bits")]
    let magic = rustix::fs::statfs(place).ok()?.f_type as u32;
    Some(judged(magic))
}

#[cfg(not(target_os = "linux"))]
fn kind_of_file_system(_: &Path) -> Option<Finding> {
    None
}

/// File systems over a network, by the numbers that Linux gives them (statfs(2)).
const NETWORK: [(u32, &str); 9] = [
    (0x6969, "NFS"),
    (0xff53_4d42, "CIFS"),
    (0xfe53_4d42, "SMB"),
    (0x517b, "SMB"),
    (0x0102_1997, "9P"),
    (0x5346_414f, "AFS"),
    (0x00c3_6400, "Ceph"),
    (0x7375_7245, "Coda"),
    (0x564c, "NCP"),
];

/// Those that forget all when the machine ends.
const IN_MEMORY: [(u32, &str); 2] = [(0x0102_1994, "tmpfs"), (0x8584_58f6, "ramfs")];

const FUSE: u32 = 0x6573_5546;

fn judged(magic: u32) -> Finding {
    let named =
        |of: &[(u32, &'static str)]| of.iter().find(|(known, _)| *known == magic).map(|(_, name)| *name);
    let check = "file system";
    if let Some(name) = named(&NETWORK) {
        let words =
            format!("the data is on {name}, where locks do not keep two hubs apart and a log may break");
        return Finding::bad(check, words, "keep the data on a disk of this machine");
    }
    if let Some(name) = named(&IN_MEMORY) {
        let words = format!("the data is on {name}, and is gone with the next reboot");
        return Finding::doubt(check, words, "keep the data on a disk");
    }
    if magic == FUSE {
        let words = "the data is on a file system of a program (FUSE), and whether that locks and syncs is its own matter";
        return Finding::doubt(check, words, "keep the data on a disk of this machine");
    }
    Finding::good(check, "it locks and keeps what was written")
}

#[cfg(test)]
mod tests {
    use super::super::super::Verdict;
    use super::*;

    #[test]
    fn a_file_system_is_judged_by_its_number() {
        for (magic, verdict) in [
            (0xef53, Verdict::Ok),
            (0x6969, Verdict::Error),
            (0x0102_1994, Verdict::Warning),
            (FUSE, Verdict::Warning),
        ] {
            assert_eq!(judged(magic).verdict, verdict, "{magic:x}");
        }
    }

    #[test]
    fn room_is_judged_by_what_a_hub_needs() {
        for (mib, verdict) in
            [(255, Verdict::Error), (256, Verdict::Warning), (1023, Verdict::Warning), (1024, Verdict::Ok)]
        {
            assert_eq!(room(mib << 20).verdict, verdict, "{mib}");
        }
    }
}
