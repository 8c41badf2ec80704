//! The suite that every forge must pass.

use std::sync::Arc;

use async_trait::async_trait;
use compartment_core::{Commit, PrId};
use compartment_forge::git::Credential;
use compartment_runtime::Forge;
use compartment_runtime::testing::forges::{Ability, Files, World, check_all};

use super::web::{TOKEN, Web};
use super::world::Repository;

#[tokio::test(flavor = "multi_thread")]
async fn over_files_with_branches() {
    check_all(async || Repository::new()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn over_http_with_numbers() {
    check_all(async || {
        let repository = Repository::new();
        let web = Web::serve(repository.folder.path(), true).await;
        let mut repository = repository.at(&web.address(""));
        repository.config.credential = Some(Credential::token(TOKEN));
        Served { repository, _web: web }
    })
    .await;
}

/// A repository and its server.
struct Served {
    repository: Repository,
    _web: Web,
}

#[async_trait]
impl World for Served {
    fn can(&self, what: Ability) -> bool {
        self.repository.can(what)
    }
    async fn forge(&self) -> Arc<dyn Forge> {
        self.repository.forge().await
    }
    async fn push(&self, files: Files<'_>) -> Commit {
        self.repository.push(files).await
    }
    async fn tip(&self) -> Commit {
        self.repository.tip().await
    }
    async fn parents(&self, commit: &Commit) -> Vec<Commit> {
        self.repository.parents(commit).await
    }
    async fn message(&self, commit: &Commit) -> String {
        self.repository.message(commit).await
    }
    async fn file(&self, commit: &Commit, path: &str) -> Option<String> {
        self.repository.file(commit, path).await
    }
    async fn open(&self, title: &str, files: Files<'_>) -> PrId {
        self.repository.open(title, files).await
    }
    async fn move_head(&self, pr: &PrId, files: Files<'_>) -> Commit {
        self.repository.move_head(pr, files).await
    }
    async fn head(&self, pr: &PrId) -> Commit {
        self.repository.head(pr).await
    }
    async fn close(&self, pr: &PrId) {
        self.repository.close(pr).await;
    }
    async fn merge_elsewhere(&self, pr: &PrId) -> Commit {
        self.repository.merge_elsewhere(pr).await
    }
    async fn lose_next_answer(&self) {
        self.repository.lose_next_answer().await;
    }
    async fn push_during_next_order(&self, files: Files<'_>) -> Commit {
        self.repository.push_during_next_order(files).await
    }
    async fn present(&self, present: bool) {
        self.repository.present(present).await;
    }
}
