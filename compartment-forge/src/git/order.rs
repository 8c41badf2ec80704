//! How a commit says which operation made it, and how that is found again.

use compartment_core::{Actor, Commit, OpId};

use super::mirror::Call;
use super::objects;
use super::trouble::Trouble;

/// The trailer that holds the operation's id.
const OPERATION: &str = "Compartment-Operation";

/// The trailer that holds who asked.
const ASKED_BY: &str = "Requested-by";

/// How far back an operation is looked for, in commits along the branch. It is ordered again within minutes.
const BACK: &str = "-n1000";

/// A commit along a branch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Made {
    pub(super) commit: Commit,
    pub(super) parents: Vec<Commit>,
    /// The operations that it says it was made by.
    operations: Vec<String>,
    /// Who asked for it, else who made it.
    pub(super) by: String,
    pub(super) subject: String,
    pub(super) body: String,
}

impl Made {
    /// Whether its trailer, and not some other part of its message, names this operation and no other.
    pub(super) fn made_by(&self, op: &OpId) -> bool {
        matches!(&self.operations[..], [one] if one == op.as_str())
    }
}

/// What is said at the end of a message.
pub(super) fn trailers(op: &OpId, by: &Actor) -> String {
    format!("{OPERATION}: {op}\n{ASKED_BY}: {by}")
}

/// The last commits of a branch: of each merge, the side that it was merged into.
pub(super) fn first_parents(call: &Call<'_>, tip: &Commit) -> Result<Vec<Made>, Trouble> {
    let trailer = |key| format!("%(trailers:key={key},valueonly,unfold,separator=%x1e)");
    let format =
        format!("--format=%H%x1f%P%x1f{}%x1f{}%x1f%an%x1f%s%x1f%b", trailer(OPERATION), trailer(ASKED_BY));
    let listed = call.text(&["log", "--first-parent", BACK, "-z", &format, &tip.to_string()])?;
    listed.split('\0').filter(|record| !record.is_empty()).map(made).collect()
}

fn made(record: &str) -> Result<Made, Trouble> {
    let mut parts = record.splitn(7, '\u{1f}');
    let mut part = || parts.next().unwrap_or_default();
    let commit = objects::commit(part())?;
    let parents = part().split_whitespace().map(objects::commit).collect::<Result<_, _>>()?;
    let values = |part: &str| -> Vec<String> {
        part.split('\u{1e}').map(|value| value.trim().to_owned()).filter(|v| !v.is_empty()).collect()
    };
    let operations = values(part());
    let asked_by = values(part()).into_iter().next().filter(|_| !operations.is_empty());
    let author = part();
    let by = asked_by.unwrap_or_else(|| author.to_owned());
    Ok(Made { commit, parents, operations, by, subject: part().to_owned(), body: part().to_owned() })
}
