//! What runs, in folders laid out like machines.

use std::path::Path;

use compartment_core::event::GenerationNumber;

use super::*;

struct Fake {
    folder: TempDir,
}

impl Fake {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        for sub in ["run", "nix/var/nix/profiles", "nix/store"] {
            fs::create_dir_all(folder.path().join(sub)).unwrap();
        }
        Self { folder }
    }

    fn root(&self) -> &Path {
        self.folder.path()
    }

    fn system(&self, name: &str, number: u64) {
        let store = self.root().join("nix/store").join(name);
        fs::create_dir_all(&store).unwrap();
        let profiles = self.root().join("nix/var/nix/profiles");
        symlink(&store, profiles.join(format!("system-{number}-link"))).unwrap();
        self.point("nix/var/nix/profiles/system", &format!("system-{number}-link"));
        self.point("run/current-system", store.to_str().unwrap());
    }

    fn point(&self, link: &str, to: &str) {
        let link = self.root().join(link);
        drop(fs::remove_file(&link));
        symlink(to, link).unwrap();
    }

    fn places(&self) -> Places {
        Places::under(self.root(), Some(self.root().join("home")), Some("ann".into()))
    }

    fn seen(&self) -> Option<(String, Option<u32>, Option<String>)> {
        let system = self.places().running_system().unwrap()?;
        let commit = system.commit.map(|commit| commit.to_string());
        Some((system.path.unwrap().to_string(), system.number.map(GenerationNumber::get), commit))
    }

    fn doubt(&self) -> String {
        self.places().running_system().unwrap_err().to_string()
    }
}

#[test]
fn a_system_and_its_number() {
    let fake = Fake::new();
    assert_eq!(fake.seen(), None, "a machine without Nix");
    fake.system("aaa-nixos", 47);
    fake.system("bbb-nixos", 48);
    assert_eq!(fake.seen(), Some(("/nix/store/bbb-nixos".into(), Some(48), None)));
    fake.point("nix/var/nix/profiles/system", "system-47-link");
    assert_eq!(fake.seen(), Some(("/nix/store/bbb-nixos".into(), Some(48), None)), "a boot is due");
    let twice = fake.root().join("nix/var/nix/profiles/system-50-link");
    symlink(fake.root().join("nix/store/bbb-nixos"), twice).unwrap();
    assert_eq!(fake.seen(), Some(("/nix/store/bbb-nixos".into(), None, None)), "two numbers, so none");
}

#[test]
fn a_system_names_its_commit() {
    let fake = Fake::new();
    fake.system("aaa-nixos", 1);
    let store = fake.root().join("nix/store/aaa-nixos");
    fs::create_dir_all(store.join("sw/bin")).unwrap();
    let script =
        "#!/bin/sh\ncase x in --json)\n    cat <<EOF\n{\"configurationRevision\":\"abcdef0\"}\nEOF\nesac\n";
    fs::write(store.join("sw/bin/nixos-version"), script).unwrap();
    assert_eq!(fake.seen().unwrap().2.as_deref(), Some("abcdef0"));
    fs::write(store.join("darwin-version.json"), r#"{"configurationRevision":"1234567"}"#).unwrap();
    assert_eq!(fake.seen().unwrap().2.as_deref(), Some("1234567"));
    fs::write(store.join("darwin-version.json"), "{").unwrap();
    assert!(fake.doubt().contains("darwin-version.json"), "{}", fake.doubt());
}

#[test]
fn what_is_there_and_broken_is_a_doubt() {
    let fake = Fake::new();
    fake.system("aaa-nixos", 1);
    fake.point("nix/var/nix/profiles/system", "system-x-link");
    assert!(fake.doubt().contains("profiles/system"), "{}", fake.doubt());
    fake.point("nix/var/nix/profiles/system", fake.root().join("nix/store/aaa-nixos").to_str().unwrap());
    assert!(fake.doubt().contains("no generation"), "{}", fake.doubt());
    fake.point("nix/var/nix/profiles/system", "system-1-link");
    fake.point("run/current-system", "/nowhere/at-all");
    assert!(fake.doubt().contains("current-system"), "{}", fake.doubt());
    fs::remove_file(fake.root().join("run/current-system")).unwrap();
    assert!(fake.doubt().contains("but no"), "{}", fake.doubt());
    fake.point("run/current-system", fake.root().join("nix/store/b\u{1b}[31m").to_str().unwrap());
    fs::create_dir(fake.root().join("nix/store/b\u{1b}[31m")).unwrap();
    assert!(fake.doubt().contains("no usable path") && !fake.doubt().contains('\u{1b}'), "{}", fake.doubt());
}

#[test]
fn home_manager_where_there_is_no_system() {
    let fake = Fake::new();
    let store = fake.root().join("nix/store/hm");
    fs::create_dir_all(&store).unwrap();
    for (profiles, number) in
        [("nix/var/nix/profiles/per-user/ann", 3), ("home/.local/state/nix/profiles", 12)]
    {
        fs::create_dir_all(fake.root().join(profiles)).unwrap();
        fake.point(&format!("{profiles}/home-manager-{number}-link"), store.to_str().unwrap());
        fake.point(&format!("{profiles}/home-manager"), &format!("home-manager-{number}-link"));
        assert_eq!(fake.seen(), Some(("/nix/store/hm".into(), Some(number), None)));
    }
}

/// A profile of home-manager with one generation, which lies at `/nix/store/` and its number.
fn home(fake: &Fake, profiles: &str, number: u32) {
    let store = fake.root().join(format!("nix/store/hm-{number}"));
    fs::create_dir_all(&store).unwrap();
    fs::create_dir_all(fake.root().join(profiles)).unwrap();
    fake.point(&format!("{profiles}/home-manager-{number}-link"), store.to_str().unwrap());
    fake.point(&format!("{profiles}/home-manager"), &format!("home-manager-{number}-link"));
}

#[test]
fn home_manager_s_profile_is_the_one_that_it_uses_itself() {
    let fake = Fake::new();
    let places = || Places::under(fake.root(), Some(fake.root().join("home")), Some("ann".into()));
    let number = |places: Places| places.running_system().unwrap().map(|runs| runs.number.unwrap().get());
    home(&fake, "home/.local/state/nix/profiles", 12);
    home(&fake, "state/nix/profiles", 30);
    assert_eq!(number(places()), Some(12));
    assert_eq!(number(places().with_state(Some(fake.root().join("state")), None)), Some(30));
    // Where its state is elsewhere and empty, none runs.
    assert_eq!(number(places().with_state(Some(fake.root().join("other")), None)), None);
    home(&fake, "nix/var/nix/profiles/per-user/ann", 3);
    assert_eq!(number(places().with_state(Some(fake.root().join("other")), None)), Some(3));
    home(&fake, "varnix/profiles/per-user/ann", 4);
    let moved = || places().with_state(Some(fake.root().join("other")), Some(fake.root().join("varnix")));
    assert_eq!(number(moved()), Some(4));
    // Once the user has profiles of their own, an old one counts no more, and what runs is not known before the next
    // activation.
    fs::create_dir_all(fake.root().join("other/nix/profiles")).unwrap();
    let doubt = moved().running_system().unwrap_err().to_string();
    assert!(doubt.contains("varnix") && doubt.contains("other/nix/profiles"), "{doubt}");
}
