//! `compartment hub token`, as people call it and as shells redirect it.

#![expect(clippy::unwrap_used, reason = "a test that finds something else has failed")]

use std::path::Path;
use std::process::{Command, Output};

/// Calls `compartment hub token …` with a folder of data, and gives what came on standard output and standard error.
fn token(data: &Path, args: &[&str]) -> (String, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_compartment"));
    command.args(["hub", "token", args[0], "--data"]).arg(data).args(&args[1..]);
    let Output { status, stdout, stderr } = command.output().unwrap();
    let [stdout, stderr] = [stdout, stderr].map(|bytes| String::from_utf8(bytes).unwrap());
    assert!(status.success(), "{args:?}: {stderr}");
    (stdout, stderr)
}

/// A token is all that a redirect catches, also where an old one is replaced.
#[test]
fn the_output_of_a_rotation_is_the_token_and_nothing_else() {
    let data = tempfile::tempdir().unwrap();
    let (old, _) = token(data.path(), &["add", "--operator", "mba"]);
    let id = old.trim().split('_').nth(1).unwrap();
    let (new, told) = token(data.path(), &["rotate", id]);
    assert_eq!(new.lines().count(), 1, "{new}");
    assert!(new.starts_with("cmp_") && new != old, "{new}");
    assert!(told.contains("the old token ends in 10 min"), "{told}");
}
