//! What GitHub alone may do: refuse, count, take its time, lose answers.

use std::time::{Duration, Instant};

use compartment_core::event::PullRequest;
use compartment_core::{Actor, ChannelName, Commit, OpId, PrId, Span};
use compartment_forge::github::{GitHubConfig, GitHubForge};
use compartment_forge::{Token, Updates};
use compartment_runtime::testing::forges::{World, hash, lock};
use compartment_runtime::{Ended, Forge, ForgeError, Look, MergeOrder, write_private};
use serde_json::json;

use super::double::{TOKEN, Trouble, problem};
use super::world::GitHub;

async fn look(forge: &GitHubForge) -> Result<Look, ForgeError> {
    let look = forge.look(&ChannelName::main()).await;
    if let Err(error) = &look {
        assert!(!format!("{error} {error:?}").contains(TOKEN));
    }
    look
}

fn order(number: u64, head: &str) -> MergeOrder {
    MergeOrder {
        within: Span::from_mins(5),
        op: OpId::new(&format!("merge-{number}")).unwrap(),
        by: Actor::new("mba").unwrap(),
        pr: PrId::from(number),
        expected_head: Commit::new(head).unwrap(),
    }
}

fn says(status: u16, message: &str) -> Trouble {
    Trouble::Says(status, problem(status, message), Vec::new())
}

/// An update that is open, and its head.
fn update(world: &GitHub) -> (u64, String) {
    let number = world.propose("Update", &[("flake.lock", Some(&lock("2222")))]);
    let head = world.at().pulls[&number].head.clone();
    (number, head)
}

#[track_caller]
fn unreachable<T: std::fmt::Debug>(answer: Result<T, ForgeError>) -> String {
    match answer {
        Err(ForgeError::Unreachable(words)) => words.as_str().to_owned(),
        other => panic!("it should not have been reached: {other:?}"),
    }
}

#[track_caller]
fn refused<T: std::fmt::Debug>(answer: Result<T, ForgeError>) -> String {
    match answer {
        Err(ForgeError::Refused(words)) => words.as_str().to_owned(),
        other => panic!("it should have been refused: {other:?}"),
    }
}

#[track_caller]
fn limited<T: std::fmt::Debug>(answer: Result<T, ForgeError>) -> (String, Span) {
    match answer {
        Err(ForgeError::Limited { reason, wait }) => (reason.as_str().to_owned(), wait),
        other => panic!("it should have been too often: {other:?}"),
    }
}

#[tokio::test]
async fn what_has_not_changed_costs_nothing() {
    let world = GitHub::new();
    let (number, _) = update(&world);
    let forge = world.github();
    let mut looks = vec![look(&forge).await.unwrap(), look(&forge).await.unwrap()];
    let left = world.at().remaining;
    for _ in 0..3 {
        looks.push(look(&forge).await.unwrap());
    }
    assert_eq!(looks[1], looks[4]);
    assert_eq!(looks[4].pull_requests.as_ref().unwrap()[0].mergeable, Some(true));
    assert_eq!(world.at().remaining, left, "{:#?}", world.at().requests);
    assert_eq!(world.at().count("GET", "/git/ref/", 304), 4);
    assert_eq!(world.at().count("GET", "/contents/", 200), 1, "a commit's lock is read once");
    assert_eq!(world.at().count("GET", &format!("/pulls/{number}/files"), 200), 1, "and a head's files");
    let rate = forge.rate_limit().unwrap();
    assert_eq!((rate.limit, rate.remaining), (5000, left));
    // A new head is a new question.
    world.move_head(&PrId::from(number), &[("README.md", Some("words\n"))]).await;
    let seen = look(&forge).await.unwrap().pull_requests.unwrap();
    assert_eq!(seen[0].head.unwrap().to_string(), world.at().pulls[&number].head);
}

#[tokio::test]
async fn three_hundred_pull_requests_are_seen() {
    let world = GitHub::new();
    let (first, _) = update(&world);
    {
        let mut at = world.at();
        let pull = at.pulls[&first].clone();
        at.bare.point("refs/heads/elsewhere", "refs/heads/main");
        for number in first + 1..=first + 320 {
            let mut pull = pull.clone();
            pull.title = format!("Update {number}");
            pull.base = if number % 16 == 0 { "elsewhere" } else { "main" }.to_owned();
            at.pulls.insert(number, pull);
        }
    }
    let forge = world.github();
    let seen = look(&forge).await.unwrap().pull_requests.unwrap();
    assert_eq!(seen.len(), 301, "those into other branches are not counted");
    assert!(seen.iter().all(|pr| pr.lock_update));
    assert_eq!(world.at().count("GET", "/pulls?", 200), 4);
    let again = look(&forge).await.unwrap().pull_requests.unwrap();
    assert!(again.iter().all(|pr| pr.mergeable == Some(true)));
    assert_eq!(world.at().count("GET", "/pulls?", 304), 4);
    // What leaves the first page does not hide what moves up to it.
    world.close(&PrId::from(first)).await;
    assert_eq!(look(&forge).await.unwrap().pull_requests.unwrap().len(), 300);
}

#[tokio::test]
async fn a_limit_is_kept_to_until_it_is_over() {
    for (headers, message, least) in [
        (vec![("x-ratelimit-remaining", "0".to_owned())], "API rate limit exceeded", 3500),
        (vec![("retry-after", "2".to_owned())], "You have exceeded a secondary rate limit", 1),
    ] {
        let world = GitHub::new();
        let forge = world.github();
        let status = if least > 1 { 403 } else { 429 };
        world.trouble("GET", "/git/ref/", Trouble::Says(status, problem(status, message), headers));
        let (words, wait) = limited(look(&forge).await);
        assert!(words.contains("it may be asked again from 2") && words.ends_with("Z on"), "{words}");
        assert!(wait >= Span::from_secs(least) && wait <= Span::from_mins(61), "{wait}");
        let (number, head) = update(&world);
        limited(look(&forge).await);
        limited(forge.merge(&order(number, &head)).await);
        assert_eq!(world.at().requests.len(), 1, "nothing is asked before");
        if least == 1 {
            tokio::time::sleep(Duration::from_millis(2100)).await;
            look(&forge).await.unwrap();
        }
    }
}

#[tokio::test]
async fn a_token_that_is_taken_back_is_said_and_not_shown() {
    let world = GitHub::new();
    let file = world.folder().join("token");
    write_private(&file, "ghp_revoked").unwrap();
    let config = GitHubConfig { token: Some(Token::from_file(&file).unwrap()), ..world.config() };
    let forge = GitHubForge::new(config).unwrap();
    let words = unreachable(look(&forge).await);
    assert!(words.contains("revoked or expired") && words.contains(file.to_str().unwrap()), "{words}");
    assert!(!words.contains("ghp_") && !format!("{forge:?}").contains("ghp_"), "{words} {forge:?}");
    write_private(&file, TOKEN).unwrap();
    look(&forge).await.expect("the new one is taken without a restart");
    assert!(!format!("{forge:?}").contains(TOKEN));
    std::fs::remove_file(&file).unwrap();
    assert!(unreachable(look(&forge).await).contains("cannot be read"));
}

#[tokio::test]
async fn github_s_refusals_are_told_in_its_words() {
    for (status, message) in [
        (405, "3 of 4 required status checks are expected."),
        (409, "Head branch was modified. Review and try the merge again."),
        (422, "Validation Failed"),
        (403, "Resource not accessible by personal access token"),
        (404, "Not Found"),
    ] {
        let world = GitHub::new();
        let (number, head) = update(&world);
        let before = world.tip().await;
        let forge = world.github();
        world.trouble("PUT", "/merge", says(status, message));
        let words = refused(forge.merge(&order(number, &head)).await);
        assert!(words.contains(message), "{words}");
        assert_eq!(world.tip().await, before);
    }
}

#[tokio::test]
async fn what_github_blocks_is_not_tried() {
    for (state, words) in [("blocked", "checks"), ("behind", "up to date"), ("draft", "draft")] {
        let world = GitHub::new();
        let (number, head) = update(&world);
        world.at().pulls.get_mut(&number).unwrap().state = Some(state);
        let forge = world.github();
        let pulls = |look: Look| look.pull_requests.unwrap()[0].mergeable;
        assert_eq!(pulls(look(&forge).await.unwrap()), None, "it is not known at once");
        assert_eq!(pulls(look(&forge).await.unwrap()), Some(false));
        let shown = look(&forge).await.unwrap().pull_requests.unwrap().remove(0);
        let obstacle = forge.proposal(&shown).await.unwrap().obstacle.unwrap();
        assert!(obstacle.as_str().contains(words), "{obstacle}");
        let said = refused(forge.merge(&order(number, &head)).await);
        assert!(said.contains(words), "{said}");
        assert_eq!(world.at().count("PUT", "/merge", 405), 0);
        // A check turns green, and nobody pushed.
        world.at().pulls.get_mut(&number).unwrap().state = Some("unstable");
        assert_eq!(forge.proposal(&shown).await.unwrap().obstacle, None);
        forge.merge(&order(number, &head)).await.unwrap();
    }
}

#[tokio::test]
async fn failures_of_github_are_no_refusals() {
    for status in [500, 502, 503] {
        let world = GitHub::new();
        let (number, head) = update(&world);
        let forge = world.github();
        world.trouble("GET", "/git/ref/", says(status, "Server Error"));
        assert!(unreachable(look(&forge).await).contains(&status.to_string()));
        look(&forge).await.unwrap();
        // Not even of a merge: nobody knows whether it was made.
        world.trouble("PUT", "/merge", says(status, "Server Error"));
        unreachable(forge.merge(&order(number, &head)).await);
        forge.merge(&order(number, &head)).await.unwrap();
    }
}

#[tokio::test]
async fn a_commit_that_github_does_not_know_yet_is_no_commit_without_a_lock() {
    let world = GitHub::new();
    let forge = world.github();
    world.trouble("GET", "/contents/", says(404, "No commit found for the ref"));
    world.trouble("GET", "/git/commits/", says(404, "Not Found"));
    let words = unreachable(look(&forge).await);
    assert!(words.contains("has no commit"), "{words}");
    let seen = look(&forge).await.unwrap();
    assert_eq!(seen.lock_hash, Some(hash(&lock("1111")).into()));
}

#[tokio::test]
async fn every_request_has_an_end() {
    let world = GitHub::plain();
    let (number, head) = update(&world);
    let config = GitHubConfig { timeout: Duration::from_millis(300), ..world.config() };
    let forge = GitHubForge::new(config).unwrap();
    let begun = Instant::now();
    world.trouble("GET", "/contents/", Trouble::Hangs);
    assert_eq!(unreachable(look(&forge).await), "GitHub did not answer within 0.3 s");
    world.trouble("PUT", "/merge", Trouble::Hangs);
    unreachable(forge.merge(&order(number, &head)).await);
    assert!(begun.elapsed() < Duration::from_secs(10));
    forge.merge(&order(number, &head)).await.unwrap();
}

#[tokio::test]
async fn an_answer_that_is_cut_is_none() {
    let world = GitHub::plain();
    let forge = world.github();
    world.trouble("GET", "/pulls?", Trouble::Lost);
    unreachable(look(&forge).await);
    // Nobody is there at all.
    let config = GitHubConfig { api: "http://127.0.0.1:1".to_owned(), ..world.config() };
    let words = unreachable(look(&GitHubForge::new(config).unwrap()).await);
    assert!(words.starts_with("GitHub cannot be reached: "), "{words}");
}

#[tokio::test]
async fn nonsense_is_told_as_such() {
    // The proxy would let none of it pass.
    let world = GitHub::plain();
    let forge = world.github();
    world.trouble("GET", "/git/ref/", Trouble::Says(200, json!({ "ref": "x" }), Vec::new()));
    let words = unreachable(look(&forge).await);
    assert!(words.contains("missing field `object`"), "{words}");
}

#[tokio::test]
async fn a_repository_that_has_moved_is_followed_or_said() {
    let world = GitHub::plain();
    let (number, head) = update(&world);
    let forge = world.github();
    let to = |status: u16, path: String| {
        let headers = vec![("location", format!("{}{path}", world.config().api))];
        Trouble::Says(status, problem(status, "Moved Permanently"), headers)
    };
    let name = world.at().name.clone();
    world.trouble("GET", "/git/ref/", to(301, format!("/repos/{name}/git/ref/heads%2Fmain")));
    look(&forge).await.expect("it was followed");
    world.trouble("PUT", "/merge", to(307, format!("/repos/{name}/pulls/{number}/merge")));
    match forge.merge(&order(number, &head)).await {
        Ok(moved) => assert_eq!(moved.commit, world.tip().await),
        Err(error) => assert!(error.to_string().contains("moved"), "{error}"),
    }
}

#[tokio::test]
async fn what_is_merged_by_others_is_not_ours() {
    let world = GitHub::new();
    let (number, head) = update(&world);
    let forge = world.github();
    let open = look(&forge).await.unwrap().pull_requests.unwrap().remove(0);
    unreachable(forge.ended(&open).await);
    let merge = world.merge_elsewhere(&PrId::from(number)).await;
    let words = refused(forge.merge(&order(number, &head)).await);
    assert!(words.contains("merged already by octocat"), "{words}");
    let Ended::Merged { moved, by } = forge.ended(&open).await.unwrap() else { panic!("it was merged") };
    assert_eq!((moved.commit, by.unwrap().as_str()), (merge, "octocat"));
    let gone = PullRequest { pr: PrId::from(999), ..open };
    assert_eq!(forge.ended(&gone).await.unwrap(), Ended::Closed);
}

#[tokio::test]
async fn labels_and_titles_count_where_they_are_asked_for() {
    let world = GitHub::new();
    let readme = [("README.md", Some("words\n"))];
    let (labelled, titled) = (world.propose("A", &readme), world.propose("Bump the Lock", &readme));
    let neither = world.propose("C", &[("flake.lock", Some(&lock("3333")))]);
    world.at().pulls.get_mut(&labelled).unwrap().labels = vec!["dependencies".to_owned()];
    let updates = Updates {
        labels: vec!["dependencies".to_owned()],
        titles: vec!["bump".to_owned()],
        changed_lock: false,
    };
    let forge = GitHubForge::new(GitHubConfig { updates, ..world.config() }).unwrap();
    let seen = look(&forge).await.unwrap().pull_requests.unwrap();
    let seen: Vec<_> = seen.iter().map(|pr| pr.pr.to_string()).collect();
    assert_eq!(seen, [labelled.to_string(), titled.to_string()]);
    assert_eq!(world.at().count("GET", "/files", 200), 0);
    let ended = PullRequest {
        pr: PrId::from(neither),
        ..look(&forge).await.unwrap().pull_requests.unwrap().remove(0)
    };
    assert_eq!(forge.ended(&ended).await.unwrap(), Ended::Closed, "it is open, and no update");
}

#[tokio::test]
async fn a_large_lock_is_read_whole() {
    let world = GitHub::new();
    let large = format!("{}{}", lock("2222"), " ".repeat(3 << 20));
    world.push(&[("flake.lock", Some(&large))]).await;
    let seen = look(&world.github()).await.unwrap();
    assert_eq!(seen.lock_hash, Some(hash(&large).into()));
}

#[tokio::test]
async fn a_branch_that_is_gone_is_named() {
    let world = GitHub::new();
    let forge = world.github();
    world.at().bare.git(&["update-ref", "-d", "refs/heads/main"]);
    let words = unreachable(look(&forge).await);
    assert!(words.contains("no branch main in octo/config-"), "{words}");
    let edge = ChannelName::new("edge").unwrap();
    assert!(unreachable(forge.look(&edge).await).contains("no branch edge"));
}
