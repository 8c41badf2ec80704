//! Pulls and looks keep to the checkout that is configured, whatever is around it.

use std::fs::{self, File, Permissions};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::SystemTime;

use compartment_core::event::{Event, Kind, Reading, Report, Said};
use compartment_core::{Ask, HostId};
use compartment_local::git::Git;
use compartment_local::observe::{Checkout, Places, machine};
use compartment_local::operation::{Commands, result};
use compartment_local::run::Stop;
use compartment_transport_ssh::host;

use crate::common::{Host, NOBODY, git, git_as, give, host_path, is_root, nonce, on_each_shell};

/// A host whose `etc` is a repository of its own with a file that somebody changed, and a remote that is a config.
pub(crate) fn with_etc(host: Host) -> Host {
    let (etc, remote) = (host.path("etc"), host.path("remote"));
    fs::create_dir(&remote).unwrap();
    git(&remote, &["init", "--quiet"]);
    fs::write(remote.join("flake.lock"), "one").unwrap();
    git(&remote, &["add", "."]);
    git(&remote, &["commit", "--quiet", "-m", "one"]);
    fs::create_dir(&etc).unwrap();
    git(&etc, &["init", "--quiet"]);
    fs::write(etc.join("passwd"), "root").unwrap();
    git(&etc, &["add", "."]);
    git(&etc, &["commit", "--quiet", "-m", "kept by etckeeper"]);
    git(&etc, &["remote", "add", "origin", remote.to_str().unwrap()]);
    fs::write(etc.join("passwd"), "root, changed").unwrap();
    host
}

pub(crate) fn pull(host: &mut Host, folder: &str, commands: &str) -> Said {
    host.site.checkout = Some(host_path(&host.path(folder)));
    let (commands, id): (Commands, _) = (toml::from_str(commands).unwrap(), HostId::new("gpc0").unwrap());
    let plan = commands.plan(&Ask::Pull { host: id.clone() }, &id, &host.site.machine()).unwrap();
    // Each has an id of its own.
    let op = format!("op-{}", fs::read_dir(host.state("ops")).map_or(0, Iterator::count));
    let ending = host.carry_out(&op, &plan).ending;
    result(Kind::Pull, None, &ending)
}

pub(crate) fn failed(host: &mut Host, folder: &str, commands: &str) -> String {
    let said = pull(host, folder, commands);
    let Said::PullFail { error: Some(error), .. } = said else { panic!("{said:?}") };
    assert_eq!(fs::read_to_string(host.path("etc/passwd")).unwrap(), "root, changed");
    let refs = git(&host.path("etc"), &["for-each-ref", "--format=%(refname)"]);
    assert_eq!(refs, "refs/heads/main");
    error.to_string()
}

#[test]
fn a_repository_around_the_folder_is_not_touched() {
    on_each_shell(|host| {
        let mut host = with_etc(host);
        fs::create_dir(host.path("etc/nixos")).unwrap();
        let error = failed(&mut host, "etc/nixos", "");
        assert!(error.contains("etc/nixos is not the top of a git checkout; clone"), "{error}");
        let error = failed(&mut host, "etc/nixos", "pull = [['git', 'reset', '--hard']]");
        assert!(error.contains("not a git repository"), "{error}");
        // What git does not take for a repository has one around it all the same.
        fs::create_dir(host.path("etc/nixos/.git")).unwrap();
        let error = failed(&mut host, "etc/nixos", "");
        assert!(error.contains("etc/nixos is no git checkout: fatal: not a git repository"), "{error}");
        assert!(host.look().doubts.iter().any(|doubt| doubt.as_str().contains("not a git repository")));
    });
}

#[test]
fn a_checkout_whose_files_are_elsewhere_is_not_reset() {
    on_each_shell(|host| {
        let mut host = with_etc(host);
        let (remote, etc) = (host.path("remote"), host.path("etc"));
        git(&host.path(""), &["clone", "--quiet", remote.to_str().unwrap(), "host"]);
        git(&host.path("host"), &["config", "core.worktree", etc.to_str().unwrap()]);
        let error = failed(&mut host, "host", "");
        assert!(error.contains("has its files in") && error.contains("core.worktree"), "{error}");
        assert!(!etc.join("flake.lock").exists());
    });
}

#[test]
fn the_repository_of_another_folder_is_not_touched() {
    on_each_shell(|host| {
        let mut host = with_etc(host);
        let head = || git(&host.path("etc"), &["rev-parse", "HEAD"]);
        let before = head();
        fs::create_dir(host.path("etc/link")).unwrap();
        std::os::unix::fs::symlink("../.git", host.path("etc/link/.git")).unwrap();
        fs::create_dir(host.path("file")).unwrap();
        let leads = format!("gitdir: {}\n", host.path("etc/.git").display());
        fs::write(host.path("file/.git"), leads).unwrap();
        for folder in ["etc/link", "file"] {
            let error = failed(&mut host, folder, "");
            assert!(error.contains("is that of another folder"), "{error}");
            let look = host.look();
            assert_eq!(look.heartbeat.dirty, Reading::Unreadable, "{folder}");
            assert!(look.doubts.iter().any(|doubt| doubt.as_str().contains("is that of another folder")));
        }
        assert_eq!(git(&host.path("etc"), &["rev-parse", "HEAD"]), before);
    });
}

/// Where git fails at the question what it does not look at, or which submodules there are, nothing is clean.
#[test]
fn what_git_does_not_list_is_no_news_that_all_is_clean() {
    on_each_shell(|host| {
        let mut host = with_etc(host);
        let remote = host.path("remote");
        git(&host.path(""), &["clone", "--quiet", remote.to_str().unwrap(), "nixos"]);
        host.site.checkout = Some(host_path(&host.path("nixos")));
        assert_eq!(host.look().heartbeat.dirty, Reading::Told(false));
        host.path = format!("{}:{}", host.path("bin").display(), host.path);
        let git = crate::common::program("git").display().to_string();
        for asked in ["ls-files -v", "ls-files --stage"] {
            host.install(
                "bin/git",
                &format!("#!/bin/sh\ncase \" $* \" in *' {asked} '*) exit 1 ;; esac\nexec {git} \"$@\"\n"),
            );
            assert_eq!(host.look().heartbeat.dirty, Reading::Unreadable, "{asked}");
        }
    });
}

/// A submodule whose repository is somebody's own is looked at with doubt, and a pull does not begin.
#[test]
fn a_submodule_in_another_s_repository_is_not_moved() {
    on_each_shell(|host| {
        let mut host = with_etc(host);
        let (remote, lib) = (host.path("remote"), host.path("lib"));
        fs::create_dir(&lib).unwrap();
        git(&lib, &["init", "--quiet"]);
        git(&lib, &["commit", "--quiet", "--allow-empty", "-m", "first"]);
        let file = ["-c", "protocol.file.allow=always"];
        let run = |folder: &Path, args: &[&str]| git(folder, &[&file[..], args].concat());
        run(&remote, &["submodule", "--quiet", "add", lib.to_str().unwrap(), "lib"]);
        git(&remote, &["commit", "--quiet", "-m", "with a submodule"]);
        let address = remote.to_str().unwrap();
        run(&host.path(""), &["clone", "--quiet", "--recurse-submodules", address, "nixos"]);
        let said = pull(&mut host, "nixos", "");
        assert!(matches!(said, Said::PullOk { dirty: Some(false), .. }), "{said:?}");
        run(&host.path(""), &["clone", "--quiet", lib.to_str().unwrap(), "dev"]);
        git(&host.path("dev"), &["checkout", "--quiet", "-b", "work"]);
        let leads = format!("gitdir: {}\n", host.path("dev/.git").display());
        fs::write(host.path("nixos/lib/.git"), leads).unwrap();
        let error = failed(&mut host, "nixos", "");
        assert!(error.contains("nixos/lib is not pulled: the repository of"), "{error}");
        let look = host.look();
        assert_eq!(look.heartbeat.dirty, Reading::Unreadable);
        assert!(look.doubts.iter().any(|doubt| doubt.as_str().contains("is that of another folder")));
        fs::remove_dir_all(host.path("nixos/lib")).unwrap();
        std::os::unix::fs::symlink(host.path("dev"), host.path("nixos/lib")).unwrap();
        let error = failed(&mut host, "nixos", "");
        assert!(error.contains("nixos/lib is not pulled: it is behind a link"), "{error}");
        // Where git does not list them, nobody knows whose they are.
        fs::write(host.path("nixos/.git/index"), "no index").unwrap();
        let error = failed(&mut host, "nixos", "");
        assert!(error.contains("does not list its submodules"), "{error}");
        assert_eq!(git(&host.path("dev"), &["symbolic-ref", "HEAD"]), "refs/heads/work");
    });
}

#[test]
fn a_checkout_behind_a_link_is_pulled() {
    on_each_shell(|host| {
        let mut host = with_etc(host);
        let remote = host.path("remote");
        git(&host.path("etc"), &["clone", "--quiet", remote.to_str().unwrap(), "rev-a"]);
        std::os::unix::fs::symlink("rev-a", host.path("etc/current")).unwrap();
        let said = pull(&mut host, "etc/current", "");
        assert!(matches!(said, Said::PullOk { dirty: Some(false), .. }), "{said:?}");
    });
}

#[test]
fn a_pull_that_leaves_what_git_does_not_look_at_says_so() {
    on_each_shell(|host| {
        let mut host = with_etc(host);
        let remote = host.path("remote");
        git(&host.path(""), &["clone", "--quiet", remote.to_str().unwrap(), "nixos"]);
        let printed =
            |host: &Host, op: &str| fs::read_to_string(host.state(&format!("ops/{op}/output"))).unwrap();
        assert!(matches!(pull(&mut host, "nixos", ""), Said::PullOk { dirty: Some(false), .. }));
        assert!(!printed(&host, "op-0").contains("cannot be told"));
        fs::write(host.path("nixos/flake.lock"), "an edit that stays").unwrap();
        git(&host.path("nixos"), &["update-index", "--skip-worktree", "flake.lock"]);
        let said = pull(&mut host, "nixos", "");
        assert!(matches!(said, Said::PullOk { dirty: None, .. }), "{said:?}");
        let told = printed(&host, "op-1");
        assert!(
            told.contains("[whether the checkout is clean now cannot be told: ")
                && told.contains("flake.lock"),
            "{told}"
        );
    });
}

/// A checkout of the remote, whose configuration has git run a program on every look, which says as whom it runs.
pub(crate) fn with_program(host: &Host) -> PathBuf {
    let (remote, checkout) = (host.path("remote"), host.path("nixos"));
    git(&host.path(""), &["clone", "--quiet", remote.to_str().unwrap(), "nixos"]);
    fs::write(checkout.join(".git/info/attributes"), "flake.lock filter=tell").unwrap();
    let tell = host.path("told");
    fs::create_dir(&tell).unwrap();
    fs::set_permissions(&tell, Permissions::from_mode(0o777)).unwrap();
    let program = format!("id -u >>'{}/ids'; cat", tell.display());
    git(&checkout, &["config", "filter.tell.clean", &program]);
    git(&checkout, &["config", "filter.tell.smudge", &program]);
    // Its time is another than that in the index, so that git reads it.
    File::options()
        .write(true)
        .open(checkout.join("flake.lock"))
        .unwrap()
        .set_modified(SystemTime::UNIX_EPOCH)
        .unwrap();
    fs::set_permissions(host.path(""), Permissions::from_mode(0o755)).unwrap();
    checkout
}

pub(crate) fn ids(host: &Host) -> Vec<String> {
    let ids = fs::read_to_string(host.path("told/ids")).unwrap_or_default();
    ids.lines().map(str::to_owned).collect()
}

#[test]
fn root_becomes_a_user_by_sudo_where_there_is_no_setpriv() {
    if !is_root() || !Path::new("/usr/bin/sudo").exists() {
        return;
    }
    on_each_shell(|host| {
        let mut host = with_etc(host);
        let checkout = with_program(&host);
        give(&checkout, NOBODY);
        host.site.checkout = Some(host_path(&checkout));
        // That of busybox, which knows no users.
        host.install("bin/setpriv", "#!/bin/sh\necho 'setpriv: unrecognized option: version' >&2; exit 1\n");
        host.path = format!("{}:{}", host.path("bin").display(), host.path);
        let look = host.look();
        assert_eq!((look.heartbeat.dirty, look.doubts.len()), (Reading::Told(false), 0), "{:?}", look.doubts);
        let ids = ids(&host);
        assert!(!ids.is_empty() && ids.iter().all(|id| id == NOBODY), "{ids:?}");
        give(&host.path("remote"), NOBODY);
        fs::write(host.path("remote/flake.lock"), "two").unwrap();
        git_as(NOBODY, &host.path("remote"), &["commit", "--quiet", "--all", "-m", "two"]);
        let said = pull(&mut host, "nixos", "");
        assert!(matches!(said, Said::PullOk { dirty: Some(false), .. }), "{said:?}");
        assert_eq!(fs::metadata(checkout.join("flake.lock")).unwrap().uid().to_string(), NOBODY);
    });
}

/// The owner's is the pull that nobody had to configure, and no other.
#[test]
fn what_somebody_configured_runs_as_whoever_logs_in_and_not_in_another_s_repository() {
    on_each_shell(|host| {
        let mut host = with_etc(host);
        let remote = host.path("remote");
        git(&host.path(""), &["clone", "--quiet", remote.to_str().unwrap(), "nixos"]);
        if is_root() {
            give(&host.path("nixos"), NOBODY);
        }
        let (who, me) = (host.path("who"), fs::metadata("/proc/self").unwrap().uid().to_string());
        let commands = format!("pull = [['sh', '-c', 'id -u >{}']]", who.display());
        pull(&mut host, "nixos", &commands);
        assert_eq!(fs::read_to_string(&who).unwrap().trim(), me);
        fs::remove_file(&who).unwrap();
        fs::create_dir(host.path("link")).unwrap();
        std::os::unix::fs::symlink("../etc/.git", host.path("link/.git")).unwrap();
        let error = failed(&mut host, "link", &commands);
        assert!(error.contains("is that of another folder") && !who.exists(), "{error}");
    });
}

#[test]
fn root_looks_at_a_user_s_checkout_as_that_user() {
    if !is_root() {
        return;
    }
    on_each_shell(|host| {
        let mut host = with_etc(host);
        let checkout = with_program(&host);
        give(&checkout, NOBODY);
        host.site.checkout = Some(host_path(&checkout));
        let look = host.look();
        assert_eq!((look.heartbeat.dirty, look.doubts.len()), (Reading::Told(false), 0), "{:?}", look.doubts);
        let first = ids(&host);
        assert!(!first.is_empty() && first.iter().all(|id| id == NOBODY), "{first:?}");
        // And so does an agent.
        let agent = Git::isolated(&host.path("home"), Stop::default());
        let seen = Checkout::open(&agent, &checkout).unwrap();
        let places = Places::under(&host.path("root"), None, None);
        let (event, doubts) = machine(&agent, &HostId::new("gpc0").unwrap(), &seen, &places).unwrap();
        let Event::Report(Report { said: Said::Heartbeat(heartbeat), .. }) = event else { panic!() };
        assert_eq!((heartbeat.dirty, doubts.len()), (Reading::Told(false), 0), "{doubts:?}");
        assert_eq!(
            (heartbeat.commit, heartbeat.lock_hash),
            (look.heartbeat.commit, look.heartbeat.lock_hash)
        );
        let both = ids(&host);
        assert!(both.len() > first.len() && both.iter().all(|id| id == NOBODY), "{both:?}");
        // A pull is the owner's, too.
        give(&host.path("remote"), NOBODY);
        fs::write(host.path("remote/flake.lock"), "two").unwrap();
        git_as(NOBODY, &host.path("remote"), &["commit", "--quiet", "--all", "-m", "two"]);
        let said = pull(&mut host, "nixos", "");
        assert!(matches!(said, Said::PullOk { dirty: Some(false), .. }), "{said:?}");
        assert!(ids(&host).iter().all(|id| id == NOBODY));
        let owner = fs::metadata(checkout.join("flake.lock")).unwrap().uid();
        assert_eq!(owner.to_string(), NOBODY);
    });
}

#[test]
fn whoever_may_not_become_the_owner_reads_the_commit_and_says_why_not_more() {
    if !is_root() {
        return;
    }
    on_each_shell(|host| {
        let mut host = with_etc(host);
        let checkout = with_program(&host);
        host.site.checkout = Some(host_path(&checkout));
        let mut command = Command::new("setpriv");
        let become_it = ["--reuid=65534", "--regid=65534", "--clear-groups"];
        command.args(become_it).arg(host.path("bin/sh")).arg("-s").env_clear().current_dir("/");
        command.env("PATH", &host.path);
        let answer = host.talk(command, &host::look(&nonce(), &host.site, None, None, None));
        let look = host::read_look(&answer, &nonce()).unwrap();
        let commit = look.heartbeat.commit.told().map(|commit| commit.to_string());
        assert_eq!(commit, Some(git(&checkout, &["rev-parse", "HEAD"])));
        assert_eq!(
            (look.heartbeat.dirty, look.heartbeat.lock_hash),
            (Reading::Unreadable, Reading::Unreadable)
        );
        let told = look.doubts[0].as_str();
        assert!(told.contains("belongs to another user") && told.contains("log in as its owner"), "{told}");
        assert_eq!(ids(&host), Vec::<String>::new(), "nothing of its configuration ran");
    });
}
