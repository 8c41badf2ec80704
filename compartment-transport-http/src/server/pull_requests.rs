//! Pull requests: what is open, what a merge would change, and how those fare that were merged.

use axum::Json;
use axum::extract::State;
use compartment_core::event::PullRequest;
use compartment_core::{ChannelName, Fleet, PrId};
use compartment_runtime::RateLimit;
use compartment_runtime::hub::ProposalError;

use super::Server;
use super::gate::{Path, Reading};
use super::openapi::{Common, NotFound};
use crate::wire::reading::{Asks, OpenView, PullRequestView, PullRequests};
use crate::wire::{Code, Problem};

/// The pull requests that bring updates, and how the last merge of each channel fares.
#[utoipa::path(
    get,
    path = "/v1/pull-requests",
    tag = "reading",
    responses((status = 200, body = ref("#/components/schemas/PullRequests")), Common),
    security(("token" = []))
)]
pub(super) async fn list(State(server): State<Server>, _: Reading) -> Result<Json<PullRequests>, Problem> {
    let (open, merged) =
        server.hub.read(|fleet, now| (fleet.pull_requests().cloned().collect(), fleet.rollouts(now)))?;
    let asks = |RateLimit { remaining, limit, resets_at }| Asks { remaining, limit, resets_at };
    let left_out = server.hub.left_out().iter().map(ToString::to_string).collect();
    Ok(Json(PullRequests { open, merged, left_out, rate_limit: server.hub.rate_limit().map(asks) }))
}

/// One pull request: what is shown before it is merged or reverted. A `/` in its id is written `%2F`.
#[utoipa::path(
    get,
    path = "/v1/pull-requests/{pr}",
    tag = "reading",
    params(("pr" = String, Path, pattern = "^[A-Za-z0-9][A-Za-z0-9._/-]{0,199}$", description = "The pull request")),
    responses((status = 200, body = ref("#/components/schemas/PullRequestView")), Common, NotFound),
    security(("token" = []))
)]
pub(super) async fn one(
    State(server): State<Server>,
    _: Reading,
    Path(pr): Path<String>,
) -> Result<Json<PullRequestView>, Problem> {
    let pr = pr.parse::<PrId>().map_err(|error| Problem::new(Code::BadRequest, error.to_string()))?;
    let (open, merged) = server.hub.read(|fleet, now| {
        let open = fleet.pull_requests().find(|open| open.pr == pr).cloned();
        let merge = fleet.merges().iter().rev().find(|merge| merge.pr == pr);
        (open, merge.map(|merge| fleet.rollout(merge, now)))
    })?;
    let open = match open {
        Some(open) => Some(view(&server, open).await?),
        None => None,
    };
    if open.is_none() && merged.is_none() {
        let detail =
            format!("the pull request {pr} is neither open nor was it merged, as far as this fleet saw");
        return Err(Problem::new(Code::NotFound, detail));
    }
    Ok(Json(PullRequestView { open, merged }))
}

async fn view(server: &Server, pull_request: PullRequest) -> Result<OpenView, Problem> {
    let (proposal, unreadable) = match server.hub.proposal(&pull_request.pr).await {
        Ok(proposal) => (Some(proposal), None),
        Err(ProposalError::Hub(error)) => return Err(error.into()),
        Err(error @ (ProposalError::NotOpen(_) | ProposalError::NoForge | ProposalError::Forge(_))) => {
            (None, Some(error.to_string()))
        }
    };
    // Where nobody knows what it changes, it is taken to change everything.
    let turns_yellow = server.hub.read(|fleet, now| match &proposal {
        Some(proposal) => fleet.outdated_by(&proposal.channel, proposal.lock_hash.as_ref(), now),
        None => channels(fleet).iter().flat_map(|channel| fleet.outdated_by(channel, None, now)).collect(),
    })?;
    Ok(OpenView { pull_request, proposal, unreadable, turns_yellow })
}

fn channels(fleet: &Fleet) -> Vec<ChannelName> {
    fleet.channels().iter().map(|channel| channel.name.clone()).collect()
}
