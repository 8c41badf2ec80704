//! What becomes of repositories, and of the mirror.

use std::io::Read;
use std::time::{Duration, Instant};

use compartment_core::{ChannelName, LockFile};
use compartment_forge::Updates;
use compartment_forge::git::{GitConfig, GitForge, GitForgeError, PullRequestRefs};
use compartment_local::run::Stop;
use compartment_runtime::testing::forges::{World, hash, lock};
use compartment_runtime::{Forge, ForgeError, Look, MergeOrder};

use super::web::Web;
use super::world::Repository;

async fn look(forge: &GitForge) -> Result<Look, ForgeError> {
    forge.look(&ChannelName::main()).await
}

fn ids(look: &Look) -> Vec<&str> {
    look.pull_requests.as_ref().unwrap().iter().map(|pr| pr.pr.as_str()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_branch_that_is_deleted_is_named_and_comes_back() {
    let repository = Repository::new();
    let forge = repository.open_forge();
    let tip = look(&forge).await.unwrap().commit;
    repository.git(&["update-ref", "-d", "refs/heads/main"]);
    // Its name is not the beginning of another's.
    repository.git(&["update-ref", "refs/heads/main-old", &tip.to_string()]);
    let words = look(&forge).await.unwrap_err().to_string();
    let remote = &repository.config.remote;
    assert_eq!(words, format!("{remote} has no branch `main`"));
    repository.git(&["update-ref", "refs/heads/main", &tip.to_string()]);
    assert_eq!(look(&forge).await.unwrap().commit, tip);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_push_back_to_an_older_commit_is_seen() {
    let repository = Repository::new();
    let forge = repository.open_forge();
    let first = repository.tip().await;
    repository.push(&[("flake.lock", Some(&lock("2222")))]).await;
    assert_eq!(look(&forge).await.unwrap().lock_hash, Some(hash(&lock("2222")).into()));
    repository.git(&["update-ref", "refs/heads/main", &first.to_string()]);
    let seen = look(&forge).await.unwrap();
    assert_eq!((seen.commit, seen.lock_hash), (first, Some(hash(&lock("1111")).into())));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_link_in_the_place_of_the_lock_is_not_taken_for_no_lock() {
    let repository = Repository::new();
    let lock = repository.folder.path().join("work/flake.lock");
    repository.stand_at("refs/heads/main");
    std::fs::remove_file(&lock).unwrap();
    std::os::unix::fs::symlink("elsewhere", &lock).unwrap();
    let linked = repository.commit("A link", &[]);
    repository.push_head("refs/heads/main");
    let seen = look(&repository.open_forge()).await.unwrap();
    assert_eq!((seen.commit, seen.lock_hash), (linked, None), "nobody can say which lock that is");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_empty_repository_has_no_branch_yet() {
    let repository = Repository::empty("sha1");
    let forge = repository.open_forge();
    assert!(look(&forge).await.unwrap_err().to_string().ends_with("has no branch `main`"));
    let first = repository.commit("First", &[]);
    repository.push_head("refs/heads/main");
    let seen = look(&forge).await.unwrap();
    assert_eq!((seen.commit, seen.lock_hash), (first, Some(LockFile::NoFile)));
}

#[tokio::test(flavor = "multi_thread")]
async fn commits_may_have_long_names() {
    let repository = Repository::empty("sha256");
    repository.commit("First", &[("flake.lock", Some(&lock("1111")))]);
    repository.push_head("refs/heads/main");
    let forge = repository.open_forge();
    assert_eq!(look(&forge).await.unwrap().commit.digits(), 64);
    let pr = repository.open("Update", &[("flake.lock", Some(&lock("2222")))]).await;
    let order = MergeOrder {
        within: compartment_core::Span::from_mins(5),
        op: "o1".parse().unwrap(),
        by: "alice".parse().unwrap(),
        expected_head: repository.head(&pr).await,
        pr,
    };
    let moved = forge.merge(&order).await.unwrap();
    assert_eq!(moved.lock_hash, Some(hash(&lock("2222")).into()));
    // A mirror with the other kind of names is of no use, and no obstacle.
    let other = Repository::new();
    let config = GitConfig { remote: other.config.remote.clone(), ..repository.config.clone() };
    let forge = GitForge::open(config, Stop::default()).unwrap();
    assert_eq!(look(&forge).await.unwrap().commit, other.tip().await);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_broken_mirror_is_made_anew() {
    let repository = Repository::new();
    let mirror = repository.mirror();
    let tip = repository.tip().await;
    let damages: [(&str, &dyn Fn()); 6] = [
        ("no objects", &|| std::fs::remove_dir_all(mirror.join("objects")).unwrap()),
        ("no HEAD", &|| std::fs::remove_file(mirror.join("HEAD")).unwrap()),
        ("a config that is none", &|| std::fs::write(mirror.join("config"), "[[[").unwrap()),
        ("a lock that was left behind", &|| {
            let tip = mirror.join("refs/compartment/channels/main");
            std::fs::remove_file(&tip).unwrap();
            std::fs::write(tip.with_extension("lock"), "").unwrap();
        }),
        ("a tip that is none", &|| {
            std::fs::write(mirror.join("refs/compartment/channels/main"), "nothing\n").unwrap();
        }),
        ("a file in its place", &|| {
            std::fs::remove_dir_all(&mirror).unwrap();
            std::fs::write(&mirror, "").unwrap();
        }),
    ];
    for (name, damage) in damages {
        let forge = repository.open_forge();
        assert_eq!(look(&forge).await.unwrap().commit, tip, "before {name}");
        drop(forge);
        damage();
        let forge = repository.open_forge();
        let seen = look(&forge).await;
        assert_eq!(seen.map(|look| look.commit), Ok(tip), "{name}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn channels_have_branches_of_their_own() {
    let mut repository = Repository::new();
    let staging = ChannelName::new("staging").unwrap();
    repository.config.channels.insert(ChannelName::main(), "production".to_owned());
    repository.config.pull_requests = vec![
        PullRequestRefs::new("refs/heads/update/*"),
        PullRequestRefs::new("refs/heads/next/*").into_channel(staging.clone()),
        PullRequestRefs::new("refs/heads/lost/*").into_channel(ChannelName::new("gone").unwrap()),
    ];
    let first = repository.tip().await;
    let next = repository.push(&[("flake.lock", Some(&lock("2222")))]).await;
    repository.git(&["update-ref", "refs/heads/production", &first.to_string()]);
    repository.git(&["branch", "-m", "main", "staging"]);
    repository.stand_at("refs/heads/staging");
    repository.commit("Update", &[("flake.lock", Some(&lock("3333")))]);
    for name in ["update/one", "next/two", "lost/three", "update/n%41"] {
        repository.push_head(&format!("refs/heads/{name}"));
    }
    let forge = repository.open_forge();
    let seen = look(&forge).await.unwrap();
    assert_eq!((seen.commit, seen.lock_hash), (first, Some(hash(&lock("1111")).into())));
    // A look at one channel tells the pull requests of all.
    assert_eq!(ids(&seen), ["next/two", "update/one"]);
    let seen = forge.look(&staging).await.unwrap();
    assert_eq!((seen.commit, ids(&seen)), (next, vec!["next/two", "update/one"]));
    let two = &seen.pull_requests.unwrap()[0];
    assert_eq!(two.url.as_ref().unwrap().as_str(), "https://git.example/pulls/next/two");
    assert_eq!(forge.proposal(two).await.unwrap().channel, staging);
    let order = MergeOrder {
        within: compartment_core::Span::from_mins(5),
        op: "o1".parse().unwrap(),
        by: "alice".parse().unwrap(),
        pr: two.pr.clone(),
        expected_head: two.head.unwrap(),
    };
    let moved = forge.merge(&order).await.unwrap();
    assert_eq!((moved.channel, moved.commit), (staging, repository.at_ref("refs/heads/staging")));
    assert_eq!(repository.at_ref("refs/heads/production"), first);
}

#[tokio::test(flavor = "multi_thread")]
async fn titles_name_updates_where_that_is_configured() {
    let mut repository = Repository::new();
    repository.config.updates =
        Updates { titles: vec!["flake".to_owned()], changed_lock: false, ..Updates::default() };
    repository.open("Update nixpkgs", &[("flake.lock", Some(&lock("2222")))]).await;
    let pr = repository.open("Flake inputs", &[("README.md", Some("words\n"))]).await;
    let seen = look(&repository.open_forge()).await.unwrap();
    assert_eq!(ids(&seen), [pr.as_str()]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_history_of_its_own_cannot_be_merged() {
    let repository = Repository::new();
    repository.in_work(&["checkout", "--quiet", "--orphan", "alien"]);
    let head = repository.commit("Alien", &[("flake.lock", Some(&lock("2222")))]);
    repository.push_head("refs/heads/update/alien");
    let forge = repository.open_forge();
    let seen = look(&forge).await.unwrap().pull_requests.unwrap();
    assert_eq!(seen[0].mergeable, Some(false));
    let order = MergeOrder {
        within: compartment_core::Span::from_mins(5),
        op: "o1".parse().unwrap(),
        by: "alice".parse().unwrap(),
        pr: seen[0].pr.clone(),
        expected_head: head,
    };
    let words = forge.merge(&order).await.unwrap_err().to_string();
    assert!(words.contains("no history in common"), "{words}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_remote_that_hangs_is_given_up() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let folder = tempfile::tempdir().unwrap();
    let mut config = GitConfig::new(format!("http://{}/x", listener.local_addr().unwrap()), folder.path());
    config.silence = Duration::from_secs(1);
    let forge = GitForge::open(config, Stop::default()).unwrap();
    let begun = Instant::now();
    let (first, second) = tokio::join!(look(&forge), look(&forge));
    for told in [first, second] {
        let words = told.unwrap_err().to_string();
        assert!(words.contains("said nothing for 1 s") || words.contains("is still being read"), "{words}");
    }
    assert!(begun.elapsed() < Duration::from_secs(15), "{:?}", begun.elapsed());
}

#[test]
fn what_cannot_be_is_refused_at_once() {
    let folder = tempfile::tempdir().unwrap();
    let config = || GitConfig::new("/srv/x.git", folder.path());
    let open = |config| GitForge::open(config, Stop::default()).unwrap_err();
    let mut bad = config();
    bad.channels.insert(ChannelName::main(), "a:b".to_owned());
    assert!(matches!(open(bad), GitForgeError::Branch(_)));
    let bad = GitConfig { pull_requests: vec![PullRequestRefs::new("update/*")], ..config() };
    assert!(open(bad).to_string().contains("refs/heads/update/*"));
    let bad = GitConfig { remote: "ssh://git:hush@host/x".to_owned(), ..config() };
    assert!(!open(bad).to_string().contains("hush"));
    std::fs::write(folder.path().join("file"), "").unwrap();
    let bad = GitConfig { folder: folder.path().join("file"), ..config() };
    assert!(matches!(open(bad), GitForgeError::Folder { .. }));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_fetch_goes_on_for_as_long_as_it_says_how_far_it_is() {
    let mut repository = Repository::new();
    // What cannot be made smaller on its way.
    let mut random = std::fs::File::open("/dev/urandom").unwrap();
    for n in 0..40 {
        let mut part = [0; 25_000];
        random.read_exact(&mut part).unwrap();
        let hex: String = part.iter().map(|byte| format!("{byte:02x}")).collect();
        repository.commit(&format!("Part {n}"), &[(&format!("part-{n}"), Some(&hex))]);
    }
    repository.push_head("refs/heads/main");
    let web = Web::serve(repository.folder.path(), false).await;
    web.trickle(Duration::from_millis(100));
    repository.config.remote = web.address("");
    repository.config.silence = Duration::from_secs(3);
    let forge = repository.open_forge();
    assert_eq!(forge.progress(), None);
    let begun = Instant::now();
    let looking = tokio::spawn({
        let forge = forge.clone();
        async move { look(&forge).await }
    });
    let far = async {
        loop {
            if let Some(far) = forge.progress() {
                break far.to_string();
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    let far = tokio::time::timeout(Duration::from_secs(20), far).await.unwrap();
    assert!(far.starts_with("reading http://") && far.contains("Receiving objects: "), "{far}");
    looking.await.unwrap().unwrap();
    assert!(begun.elapsed() > repository.config.silence, "it took longer than anything may say nothing");
    assert_eq!(forge.progress(), None);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_shallow_repository_says_so_and_is_never_taken_to_be_where_it_was() {
    let mut repository = Repository::new();
    for n in 0..3 {
        repository.commit(&format!("Change {n}"), &[("file", Some(&n.to_string()))]);
    }
    repository.push_head("refs/heads/main");
    let (full, bare) = (repository.open_forge(), repository.bare());
    let before = look(&full).await.unwrap().commit;
    let shallow = repository.folder.path().join("shallow");
    let newest = repository.commit("The newest", &[("file", Some("new"))]);
    repository.push_head("refs/heads/main");
    let url = format!("file://{}", bare.display());
    repository.git(&["clone", "--quiet", "--bare", "--depth", "1", &url, shallow.to_str().unwrap()]);
    // With a mirror that has the history, and without.
    repository.config.remote = format!("file://{}", shallow.display());
    for _ in 0..2 {
        let forge = repository.open_forge();
        match look(&forge).await {
            Ok(look) => assert!(look.commit == newest && look.commit != before),
            Err(error) => assert!(error.to_string().contains("is a shallow repository"), "{error}"),
        }
    }
    std::fs::remove_dir_all(repository.mirror()).unwrap();
    let forge = repository.open_forge();
    for _ in 0..2 {
        let error = look(&forge).await.unwrap_err().to_string();
        assert!(error.contains("git fetch --unshallow"), "{error}");
    }
    repository.git(&["-C", shallow.to_str().unwrap(), "fetch", "--quiet", "--unshallow"]);
    assert_eq!(look(&forge).await.unwrap().commit, newest);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_branch_that_cannot_be_a_pull_request_is_told_with_the_reason() {
    let repository = Repository::new();
    repository.commit("Update", &[("flake.lock", Some(&lock("2222")))]);
    for branch in ["refs/heads/update/good", "refs/heads/update/gr\u{f6}\u{df}er", "refs/heads/update/a+b"] {
        repository.push_head(branch);
    }
    let look = look(&repository.open_forge()).await.unwrap();
    let open: Vec<_> = look.pull_requests.unwrap().iter().map(|open| open.pr.to_string()).collect();
    assert_eq!(open, ["update/good"]);
    let left_out: Vec<_> = look.left_out.iter().map(ToString::to_string).collect();
    assert_eq!(left_out.len(), 2, "{left_out:?}");
    assert!(left_out[0].starts_with("update/a+b: ") && left_out[0].contains("A-Z a-z 0-9"), "{left_out:?}");
    assert!(left_out[1].starts_with("update/gr\u{f6}\u{df}er: "), "{left_out:?}");
}
