//! What every forge must do.

use compartment_runtime::testing::forges as suite;

use super::world::GitHub;

macro_rules! checks {
    ($($check:ident)+) => {$(
        #[tokio::test]
        async fn $check() {
            suite::$check(&GitHub::new()).await;
        }
    )+};
}

checks! {
    tip_and_lock_are_of_one_commit
    a_commit_without_a_lock_has_none
    open_pull_requests_are_seen
    what_changes_no_lock_is_no_update
    a_pull_request_that_cannot_be_merged_is_seen_as_such
    a_proposal_lists_the_inputs_that_move
    a_merge_is_a_merge_commit_of_the_shown_head
    a_merge_ordered_twice_happens_once
    another_head_is_refused
    a_conflict_is_refused
    an_unknown_pull_request_is_refused
    a_closed_pull_request_is_refused
    a_push_before_a_merge_is_kept
    a_push_during_a_merge_is_kept
    a_merge_whose_answer_is_lost_happens_once
    a_revert_brings_the_old_lock_back
    a_revert_ordered_twice_happens_once
    a_revert_that_conflicts_is_refused
    a_revert_of_a_revert_is_refused
    a_push_during_a_revert_is_kept
    a_revert_whose_answer_is_lost_happens_once
    what_became_of_a_pull_request_is_told
    merges_between_two_looks_are_told_in_their_order
    commits_are_compared
    a_repository_that_is_gone_is_an_error_until_it_is_back
}
