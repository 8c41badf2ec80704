//! The fold in long histories by chance; `proof random` goes on from other seeds for as long as one likes.

use compartment_proof::random::walk;

#[test]
fn long_histories_are_told_truly_and_lead_back_to_green() {
    let walked = walk(1, 100_000, 3);
    let wrong: Vec<_> = walked
        .wrong
        .iter()
        .map(|wrong| format!("{:?}, seed {}\n{}", wrong.what, wrong.seed, wrong.history))
        .collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n\n"));
    assert!(walked.restarts > 100 && walked.updates > 100, "{walked:?}");
}
