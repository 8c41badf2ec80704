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

/// How often each cell was green and true, and which rule spoke where it was true and not green. A rule that doubts more
/// or less than before changes one of these: say why, and take the new ones.
#[test]
fn as_many_cells_are_green_and_true_as_before() {
    let walked = walk(1, 1_000_000, 1);
    let rules: Vec<_> = walked.unproven.iter().map(|(rule, count)| format!("{rule} {count}")).collect();
    let shown = format!("green and true {:?}; {}", walked.green, rules.join(", "));
    assert_eq!(
        shown,
        "green and true [19702, 25528, 3320, 31234]; G2 2713, G5 10740, G8 5593, L1 42270, L4 9298, L6 546, L8 29225, \
         S3 1531, S5 5544, S6 18961, S7 240, S8 1017, S9 4519, T4 62076, T7 6618"
    );
}
