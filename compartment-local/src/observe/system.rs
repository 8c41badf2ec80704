//! What runs: the system of NixOS or nix-darwin, else the user's home-manager generation.

use std::env;
use std::fs::{self, File};
use std::io::{ErrorKind, Read};
use std::path::{Path, PathBuf};

use compartment_core::event::{GenerationNumber, RunningSystem};
use compartment_core::{Commit, StorePath};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::doubt::Doubt;

/// The most that is read of a file in which a system names its commit.
const NOTE_LIMIT: u64 = 64 << 10;

/// Where to look: this machine, or a folder laid out like one.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Places {
    /// The folder that stands for `/`.
    #[serde(default = "slash")]
    root: PathBuf,
    home: Option<PathBuf>,
    user: Option<String>,
    /// Where the user's programs keep their state (`XDG_STATE_HOME`). `None` for `.local/state` in the home.
    #[serde(default)]
    state: Option<PathBuf>,
    /// Where Nix keeps its state (`NIX_STATE_DIR`). `None` for `nix/var/nix` under the root.
    #[serde(default)]
    nix_state: Option<PathBuf>,
    /// Whose generations count.
    #[serde(default)]
    managed: Managed,
    /// The link to what runs, under the root.
    #[serde(default = "system_link")]
    system_link: PathBuf,
    /// The profile of the system's generations, under the root.
    #[serde(default = "system_profile")]
    system_profile: PathBuf,
}

/// What of a machine its operations change: that is what is said to run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Managed {
    /// The system where there is one, else the user's home.
    #[default]
    Either,
    /// The system of NixOS or nix-darwin.
    System,
    /// The user's home-manager generation, whatever the system is.
    Home,
}

fn slash() -> PathBuf {
    PathBuf::from("/")
}

fn system_link() -> PathBuf {
    PathBuf::from("run/current-system")
}

fn system_profile() -> PathBuf {
    PathBuf::from("nix/var/nix/profiles/system")
}

impl Places {
    /// This machine, for the user who asks.
    #[must_use]
    pub fn of_this_machine() -> Self {
        let folder = |name| env::var_os(name).filter(|folder| !folder.is_empty()).map(PathBuf::from);
        let user = env::var("USER").ok().filter(|user| !user.is_empty() && !user.contains('/'));
        Self::under(&slash(), folder("HOME"), user)
            .with_state(folder("XDG_STATE_HOME"), folder("NIX_STATE_DIR"))
    }

    /// The same, where the user's programs and Nix keep their state elsewhere: what `XDG_STATE_HOME` and `NIX_STATE_DIR`
    /// say there. `None` where they say nothing.
    #[must_use]
    pub fn with_state(self, user: Option<PathBuf>, nix: Option<PathBuf>) -> Self {
        Self { state: user, nix_state: nix, ..self }
    }

    /// A folder that holds `run/current-system` and `nix/var/nix/profiles`, and perhaps a user's home.
    #[must_use]
    pub fn under(root: &Path, home: Option<PathBuf>, user: Option<String>) -> Self {
        Self {
            root: root.to_owned(),
            home,
            user,
            state: None,
            nix_state: None,
            managed: Managed::default(),
            system_link: system_link(),
            system_profile: system_profile(),
        }
    }

    /// The same, where only this is managed. Whoever manages homes on NixOS has to say so.
    #[must_use]
    pub fn managing(self, managed: Managed) -> Self {
        Self { managed, ..self }
    }

    /// The same, with another link to what runs and another profile, both under the root.
    #[must_use]
    pub fn with_system(self, link: &Path, profile: &Path) -> Self {
        let inside = |path: &Path| path.strip_prefix("/").unwrap_or(path).to_owned();
        Self { system_link: inside(link), system_profile: inside(profile), ..self }
    }

    /// What runs. `None` on a machine without any of it.
    ///
    /// # Errors
    /// [`Doubt`] when a part is there and cannot be read: then nothing is known for sure.
    pub fn running_system(&self) -> Result<Option<RunningSystem>, Doubt> {
        match self.managed {
            Managed::Home => return self.home_manager(),
            Managed::Either | Managed::System => {}
        }
        // Whatever a file says of places: they are under the root.
        let under = |path: &Path| self.root.join(path.strip_prefix("/").unwrap_or(path));
        let (current, profile) = (under(&self.system_link), under(&self.system_profile));
        let profiles = profile.parent().unwrap_or(&self.root);
        let name = profile.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        let generation = Generation::current(profiles, name)?;
        match (resolve(&current)?, generation) {
            (Some(real), generation) => {
                let number = match generation {
                    Some(newest) if newest.real == real => Some(newest.number),
                    // Booted without a switch, or switched without a boot: the number is another link's.
                    Some(_) => Generation::number_of(profiles, name, &real),
                    None => None,
                };
                let commit = revision(&real)?;
                Ok(Some(RunningSystem { path: Some(self.path(&real)?), number, commit }))
            }
            (None, Some(_)) => {
                Err(Doubt::new(&format!("there is a system profile, but no {}", current.display())))
            }
            (None, None) if self.managed == Managed::Either => self.home_manager(),
            (None, None) => Ok(None),
        }
    }

    /// Where the newest generation of the system and what runs are two: which is which. `None` where they are one, where
    /// what runs is a specialisation of that generation, and where there is none or it cannot be read.
    pub(crate) fn apart(&self) -> Option<String> {
        if self.managed == Managed::Home {
            return None;
        }
        let under = |path: &Path| self.root.join(path.strip_prefix("/").unwrap_or(path));
        let (current, profile) = (under(&self.system_link), under(&self.system_profile));
        let name = profile.file_name().and_then(|name| name.to_str())?;
        let newest = Generation::current(profile.parent()?, name).ok()??;
        let runs = resolve(&current).ok()??;
        let specialised = fs::read_dir(newest.real.join("specialisation")).into_iter().flatten();
        let mut alike = specialised.filter_map(|entry| entry.ok()?.path().canonicalize().ok());
        if newest.real == runs || alike.any(|special| special == runs) {
            return None;
        }
        let [newest_path, runs] = [&newest.real, &runs].map(|real| self.path(real).ok());
        Some(format!(
            "the profile is at generation {} ({}), but {} runs",
            newest.number,
            newest_path?.as_str(),
            runs?.as_str()
        ))
    }

    /// The generation of home-manager, where that itself looks for it: in the user's own profiles, where there are any;
    /// else in those that Nix keeps for each user.
    fn home_manager(&self) -> Result<Option<RunningSystem>, Doubt> {
        let state = self.state.clone().or_else(|| Some(self.home.as_ref()?.join(".local/state")));
        let own = state.map(|state| state.join("nix/profiles"));
        let nix = self.nix_state.clone().unwrap_or_else(|| self.root.join("nix/var/nix"));
        let shared = self.user.as_ref().map(|user| nix.join("profiles/per-user").join(user));
        let current = |profiles: &Option<PathBuf>| match profiles {
            Some(profiles) => Generation::current(profiles, "home-manager"),
            None => Ok(None),
        };
        let has_own = own.as_ref().is_some_and(|own| own.is_dir());
        let found = current(if has_own { &own } else { &shared })?;
        match found {
            Some(found) => {
                let path = Some(self.path(&found.real)?);
                Ok(Some(RunningSystem { path, number: Some(found.number), commit: None }))
            }
            None if has_own && current(&shared)?.is_some() => {
                let [own, shared] = [&own, &shared].map(|place| place.as_deref().unwrap_or(Path::new("")));
                Err(Doubt::new(&format!(
                    "there is a generation of home-manager in {}, and by now it keeps them in {}: activate one there \
                     (`home-manager switch`)",
                    shared.display(),
                    own.display()
                )))
            }
            None => Ok(None),
        }
    }

    /// The path as the machine under this root names it.
    fn path(&self, real: &Path) -> Result<StorePath, Doubt> {
        let root = self.root.canonicalize().unwrap_or_else(|_| self.root.clone());
        let inside =
            real.strip_prefix(&root).map_or_else(|_| real.to_owned(), |rest| Path::new("/").join(rest));
        let text = inside.to_str().and_then(|path| StorePath::new(path).ok());
        text.ok_or_else(|| Doubt::new(&format!("what runs has no usable path: {}", inside.display())))
    }
}

/// A generation of a profile: its number, and what it resolves to.
struct Generation {
    number: GenerationNumber,
    real: PathBuf,
}

impl Generation {
    /// The one that the profile's link points to; `None` where there is no such profile.
    fn current(profiles: &Path, name: &str) -> Result<Option<Self>, Doubt> {
        let link = profiles.join(name);
        let Some(real) = resolve(&link)? else { return Ok(None) };
        let target = fs::read_link(&link).ok();
        let number = target.as_deref().and_then(|to| number_in(name, to.file_name()?.to_str()?));
        match number {
            Some(number) => Ok(Some(Self { number, real })),
            None => Err(Doubt::new(&format!("{} points to no generation", link.display()))),
        }
    }

    /// The number of the only generation that resolves to `real`.
    fn number_of(profiles: &Path, name: &str, real: &Path) -> Option<GenerationNumber> {
        let entries = fs::read_dir(profiles).ok()?.filter_map(Result::ok);
        let mut numbers = entries.filter_map(|entry| {
            let number = number_in(name, entry.file_name().to_str()?)?;
            (entry.path().canonicalize().ok()? == real).then_some(number)
        });
        numbers.next().filter(|_| numbers.next().is_none())
    }
}

/// `system-48-link` of the profile `system` is number 48.
fn number_in(profile: &str, link: &str) -> Option<GenerationNumber> {
    let digits = link.strip_prefix(profile)?.strip_prefix('-')?.strip_suffix("-link")?;
    digits.bytes().all(|b| b.is_ascii_digit()).then(|| digits.parse().ok()).flatten()
}

/// Follows a link to its end; `None` where there is none, a doubt where it leads nowhere.
fn resolve(link: &Path) -> Result<Option<PathBuf>, Doubt> {
    let doubt = |error: &std::io::Error| Doubt::new(&format!("cannot read {}: {error}", link.display()));
    match link.symlink_metadata() {
        Ok(_) => link.canonicalize().map(Some).map_err(|error| doubt(&error)),
        Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => Ok(None),
        Err(error) => Err(doubt(&error)),
    }
}

/// The commit that a system says it was built from (`system.configurationRevision`), from a file in it:
/// nix-darwin has one for it, NixOS a line of JSON in a script. No program is run.
fn revision(system: &Path) -> Result<Option<Commit>, Doubt> {
    let darwin = system.join("darwin-version.json");
    if let Some(note) = note(&darwin)? {
        return stated_revision(&note)
            .map_err(|error| Doubt::new(&format!("cannot read {}: {error}", darwin.display())));
    }
    let script = note(&system.join("sw/bin/nixos-version"))?.unwrap_or_default();
    let stated = script.lines().filter(|line| line.starts_with('{'));
    Ok(stated.filter_map(|line| stated_revision(line).ok()).flatten().next())
}

/// The commit in what a system says of itself: the `configurationRevision` of a JSON object, such as
/// `darwin-version.json` holds and `nixos-version --json` prints. Only a whole, clean commit counts: one that ends in
/// `-dirty` is not what was built.
///
/// # Errors
/// It is no JSON.
pub fn stated_revision(json: &str) -> Result<Option<Commit>, serde_json::Error> {
    let stated: Value = serde_json::from_str(json)?;
    let revision = stated.get("configurationRevision").and_then(Value::as_str);
    Ok(revision.and_then(|revision| Commit::new(revision).ok()))
}

fn note(path: &Path) -> Result<Option<String>, Doubt> {
    let Some(real) = resolve(path)? else { return Ok(None) };
    let doubt = |error: &std::io::Error| Doubt::new(&format!("cannot read {}: {error}", path.display()));
    if !real.is_file() {
        return Err(Doubt::new(&format!("{} is no file", path.display())));
    }
    let mut bytes = Vec::new();
    let read = File::open(real).and_then(|file| file.take(NOTE_LIMIT).read_to_end(&mut bytes));
    read.map_err(|error| doubt(&error))?;
    Ok(Some(String::from_utf8_lossy(&bytes).into_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_of_generations() {
        for (link, number) in [
            ("system-48-link", Some(48)),
            ("system-007-link", Some(7)),
            ("system-0-link", None),
            ("system--link", None),
            ("system-+4-link", None),
            ("system-48", None),
            ("systems-48-link", None),
            ("system-99999999999999999999-link", None),
            ("home-manager-3-link", None),
        ] {
            assert_eq!(number_in("system", link).map(GenerationNumber::get), number, "{link}");
        }
        assert_eq!(number_in("home-manager", "home-manager-3-link"), GenerationNumber::new(3));
    }

    #[test]
    fn only_a_clean_revision_counts() {
        let of = |json: &str| stated_revision(json).unwrap().map(|c| c.to_string());
        assert_eq!(of(r#"{"configurationRevision":"abcdef0123"}"#).as_deref(), Some("abcdef0123"));
        for other in [
            r#"{"configurationRevision":"abcdef0123-dirty"}"#,
            r#"{"configurationRevision":"@configurationRevision@"}"#,
            r#"{"configurationRevision":null}"#,
            r#"{"nixosVersion":"26.05"}"#,
            "[]",
        ] {
            assert_eq!(of(other), None, "{other}");
        }
    }
}
