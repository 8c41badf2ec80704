//! Checkouts with submodules, of which git alone does not see everything.

use super::*;

/// What git does not look at in submodules by itself, or not from above: each is looked at.
#[test]
fn submodules_are_looked_at_each_by_itself() {
    let repo = Repo::new();
    let local = ["-c", "protocol.file.allow=always"];
    let add = |into: &str, from: &str, name: &str| {
        let from = repo.dir(from).display().to_string();
        repo.run(into, &[&local[..], &["submodule", "--quiet", "add", &from, name]].concat());
        repo.run(into, &["commit", "--quiet", "-m", "a submodule"]);
    };
    for name in ["inner", "outer"] {
        repo.run(".", &["init", "--quiet", "--initial-branch=main", name]);
        fs::write(repo.dir(name).join("file"), "as it was").unwrap();
        repo.run(name, &["add", "file"]);
        repo.run(name, &["commit", "--quiet", "-m", "first"]);
    }
    add("outer", "inner", "nested");
    // What the outer one's own settings say of the inner one counts for nobody.
    repo.run("outer", &["config", "--file", ".gitmodules", "submodule.nested.ignore", "all"]);
    repo.run("outer", &["commit", "--quiet", "-a", "-m", "ignored"]);
    add("desk", "outer", "sub");
    repo.run("desk", &["push", "--quiet", "origin", "HEAD:main"]);
    repo.run("host", &["pull", "--quiet"]);
    let checkout = repo.checkout();
    let dirty = || checkout.sample(&repo.git).unwrap().dirty.map_err(|doubt| doubt.to_string());
    assert_eq!(dirty(), Ok(false), "none is there, as after a clone");
    repo.run("host", &[&local[..], &["submodule", "--quiet", "update", "--init", "--recursive"]].concat());
    assert_eq!(dirty(), Ok(false));
    for file in ["host/sub/file", "host/sub/nested/file"] {
        fs::write(repo.dir(file), "other").unwrap();
        assert_eq!(dirty(), Ok(true), "{file}");
        fs::write(repo.dir(file), "as it was").unwrap();
        assert_eq!(dirty(), Ok(false), "{file}");
    }
    // Hidden there, which changes nothing above.
    for (folder, mark) in [("host/sub", "assume-unchanged"), ("host/sub/nested", "skip-worktree")] {
        repo.run(folder, &["update-index", &format!("--{mark}"), "file"]);
        let why = dirty().unwrap_err();
        assert!(why.contains("git is told not to look at 1 of them, such as file"), "{why}");
        repo.run(folder, &["update-index", &format!("--no-{mark}"), "file"]);
        assert_eq!(dirty(), Ok(false));
    }
    // Not active, so that git passes it over.
    repo.run("host", &["config", "submodule.sub.active", "false"]);
    fs::write(repo.dir("host/sub/file"), "other").unwrap();
    assert_eq!(dirty(), Ok(true));
    fs::write(repo.dir("host/sub/file"), "as it was").unwrap();
    repo.run("host", &["config", "--unset", "submodule.sub.active"]);
    // Its files are elsewhere.
    repo.run(".", &["clone", "--quiet", "outer", "copy"]);
    let copy = repo.dir("copy").canonicalize().unwrap().display().to_string();
    repo.run("host/sub", &["config", "core.worktree", &copy]);
    let why = dirty().unwrap_err();
    assert!(why.contains("its repository has its files in"), "{why}");
    repo.run(
        "copy",
        &[
            "config",
            "--file",
            &repo.dir("host/.git/modules/sub/config").display().to_string(),
            "core.worktree",
            "../../../sub",
        ],
    );
    assert_eq!(dirty(), Ok(false));
    // Another commit in the place of its own.
    let file = repo.run("host/sub", &["hash-object", "-w", "file"]);
    fs::write(repo.dir("host/sub/file"), "other").unwrap();
    let other = repo.run("host/sub", &["hash-object", "-w", "file"]);
    repo.run("host/sub", &["replace", &file, &other]);
    assert_eq!(dirty(), Ok(true));
    repo.run("host/sub", &["replace", "--delete", &file]);
    // Files, and no repository.
    fs::remove_dir_all(repo.dir("host/sub")).unwrap();
    fs::create_dir(repo.dir("host/sub")).unwrap();
    fs::write(repo.dir("host/sub/file"), "other").unwrap();
    assert!(dirty().is_err(), "{:?}", dirty());
}
