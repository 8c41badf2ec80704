//! A token is in no error, no argument and no `Debug` output.

use compartment_core::ChannelName;
use compartment_forge::git::Credential;
use compartment_runtime::testing::forges::{World, lock};
use compartment_runtime::{Forge, ForgeError, MergeOrder};

use super::web::{TOKEN, Web};
use super::world::Repository;

async fn looks(repository: &Repository) -> Result<(), ForgeError> {
    let forge = repository.open_forge();
    assert!(!format!("{forge:?} {:?}", repository.config).contains("hush"));
    forge.look(&ChannelName::main()).await.map(drop)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_is_in_the_environment_alone() {
    let repository = Repository::new();
    let web = Web::serve(repository.folder.path(), true).await;
    let mut repository = repository.at(&web.address(""));
    repository.config.credential = Some(Credential::token(TOKEN));
    looks(&repository).await.unwrap();
    let pr = repository.open("Update", &[("flake.lock", Some(&lock("2222")))]).await;
    let order = MergeOrder {
        within: compartment_core::Span::from_mins(5),
        op: "o1".parse().unwrap(),
        by: "alice".parse().unwrap(),
        expected_head: repository.head(&pr).await,
        pr,
    };
    repository.open_forge().merge(&order).await.unwrap();
    // The same in the address: git's helpers get addresses as arguments.
    repository.config.credential = None;
    repository.config.remote = web.address(&format!("x-access-token:{TOKEN}@"));
    looks(&repository).await.unwrap();
    let seen = web.arguments_seen();
    assert!(
        seen.iter().any(|line| line.contains("remote-http") && line.contains(&web.address(""))),
        "{seen:#?}"
    );
    assert!(seen.iter().any(|line| line.contains("push ")), "{seen:#?}");
    assert!(!seen.iter().any(|line| line.contains("hush")), "{seen:#?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_is_not_let_in_is_told_so_without_the_token() {
    let repository = Repository::new();
    let web = Web::serve(repository.folder.path(), true).await;
    let mut repository = repository.at(&web.address(""));
    let told = looks(&repository).await.unwrap_err();
    assert!(
        matches!(&told, ForgeError::Unreachable(words) if words.as_str().contains(&web.address(""))),
        "{told}"
    );
    repository.config.credential = Some(Credential::token("hush-wrong"));
    let told = looks(&repository).await.unwrap_err();
    assert!(!format!("{told:?}").contains("hush"), "{told:?}");
    assert!(told.to_string().contains("Authentication failed"), "{told}");
    repository.config.credential = None;
    repository.config.remote = web.address("x-access-token:hush-wrong@");
    let told = looks(&repository).await.unwrap_err();
    assert!(!format!("{told:?}").contains("hush"), "{told:?}");
    assert!(told.to_string().contains("Authentication failed"), "{told}");
}

/// Whoever only wants to know whether the remote is reached fetches nothing.
#[tokio::test(flavor = "multi_thread")]
async fn a_tip_is_asked_for_without_a_mirror() {
    let repository = Repository::new();
    let web = Web::serve(repository.folder.path(), true).await;
    let mut repository = repository.at(&web.address(""));
    let tip = async |repository: &Repository, channel: &str| {
        let (forge, channel) = (repository.open_forge(), channel.parse().unwrap());
        tokio::task::spawn_blocking(move || forge.tip(&channel)).await.unwrap()
    };
    let told = tip(&repository, "main").await.unwrap_err();
    assert!(told.to_string().contains(&web.address("")), "{told}");
    repository.config.credential = Some(Credential::token("hush-wrong"));
    let told = tip(&repository, "main").await.unwrap_err().to_string();
    assert!(told.contains("Authentication failed") && !told.contains("hush"), "{told}");
    repository.config.credential = Some(Credential::token(TOKEN));
    assert!(tip(&repository, "main").await.unwrap().is_some());
    assert_eq!(tip(&repository, "live").await.unwrap(), None, "there is no such branch");
    assert!(!repository.config.folder.join("mirror.git").exists());
}

#[tokio::test(flavor = "multi_thread")]
async fn the_mirror_holds_no_token() {
    let repository = Repository::new();
    let web = Web::serve(repository.folder.path(), true).await;
    let mut repository = repository.at(&web.address(""));
    repository.config.remote = web.address(&format!("x-access-token:{TOKEN}@"));
    looks(&repository).await.unwrap();
    let mut open = vec![repository.mirror()];
    let mut files = 0;
    while let Some(folder) = open.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                open.push(path);
            } else {
                files += 1;
                let content = std::fs::read(&path).unwrap();
                assert!(!String::from_utf8_lossy(&content).contains("hush"), "{}", path.display());
            }
        }
    }
    assert!(files > 3);
}
