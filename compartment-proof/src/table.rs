//! The tables of `docs/PROOF.md`, written from what was covered.

use std::collections::BTreeMap;
use std::fmt::Write;

use crate::old_ways::Score;
use crate::random::Walked;
use crate::search::{Covered, Scores};
use crate::worlds::World;

/// What stands before the part that is written by the program.
pub const BEGIN: &str = "<!-- From here on written by `proof table`. -->";
/// What stands after it.
pub const END: &str = "<!-- To here. -->";

/// The text between the marks, written anew; `None` where a mark is missing.
#[must_use]
pub fn put(text: &str, tables: &str) -> Option<String> {
    let (before, rest) = text.split_once(BEGIN)?;
    let (_, after) = rest.split_once(END)?;
    Some(format!("{before}{BEGIN}\n\n{tables}\n{END}{after}"))
}

/// All tables.
#[must_use]
pub fn tables(worlds: &[(World, usize, Covered)], walks: &[(u64, Walked)]) -> String {
    [of_worlds(worlds), random(walks), unproven(walks)].join("\n")
}

/// The tables of the small worlds.
#[must_use]
pub fn of_worlds(worlds: &[(World, usize, Covered)]) -> String {
    [small_worlds(worlds), needless(worlds), old_ways(worlds)].join("\n")
}

fn small_worlds(worlds: &[(World, usize, Covered)]) -> String {
    let mut text = "### The small worlds\n\n| world | what is heard | words | histories | of these, no run fits | sets of runs | \
                    most runs | green and true | false greens | blue without end |\n|---|---|--:|--:|--:|--:|--:|--:|--:|--:|\n"
        .to_string();
    let mut all = [0; 5];
    for (world, depth, covered) in worlds {
        let green = covered.green.iter().sum();
        let lies = covered.found.len() as u64;
        line(
            &mut text,
            format_args!(
                "| {} | {} | {} + {depth} | {} | {} | {} | {} | {} | {} | {} |",
                world.name,
                world.about,
                world.start.len(),
                grouped(covered.histories),
                grouped(covered.contradictions),
                grouped(covered.beliefs as u64),
                grouped(covered.runs as u64),
                grouped(green),
                grouped(lies),
                grouped(covered.blue.0),
            ),
        );
        let these = [covered.histories, covered.contradictions, green, lies, covered.blue.0];
        all.iter_mut().zip(these).for_each(|(sum, one)| *sum += one);
    }
    let [histories, contradictions, green, lies, blue] = all.map(grouped);
    line(
        &mut text,
        format_args!(
            "| **all** | | | {histories} | {contradictions} | | | {green} | **{lies}** | **{blue}** |"
        ),
    );
    text
}

fn needless(worlds: &[(World, usize, Covered)]) -> String {
    let mut rules: BTreeMap<&str, (u64, bool)> = BTreeMap::new();
    for (_, _, covered) in worlds {
        for (rule, found) in &covered.needless {
            let sum = rules.entry(rule).or_default();
            sum.0 += found.count;
            sum.1 |= found.gray;
        }
    }
    let mut text =
        "### True in every run that fits, and not green\n\n| rule | shown | cells |\n|---|---|--:|\n"
            .to_string();
    for (rule, (count, gray)) in rules {
        let shown = if gray { "gray" } else { "yellow" };
        line(&mut text, format_args!("| {rule} | {shown} | {} |", grouped(count)));
    }
    text
}

fn old_ways(worlds: &[(World, usize, Covered)]) -> String {
    let mut sum = Scores::default();
    for (_, _, Covered { scores, .. }) in worlds {
        sum.old_lock = sum.old_lock.and(scores.old_lock);
        sum.lock = sum.lock.and(scores.lock);
        sum.old_system = sum.old_system.and(scores.old_system);
        sum.system = sum.system.and(scores.system);
    }
    let mut text =
        "### The old ways in the same worlds\n\n| cell | green and true | falsely green | true and gray |\n\
                    |---|--:|--:|--:|\n"
            .to_string();
    let rows = [
        ("Lock, green when younger than seven days", sum.old_lock),
        ("Lock, by its content", sum.lock),
        ("System, from the last command only", sum.old_system),
        ("System, by what was reported", sum.system),
    ];
    for (what, Score { right, lies, gray }) in rows {
        let [right, lies, gray] = [right, lies, gray].map(grouped);
        line(&mut text, format_args!("| {what} | {right} | {lies} | {gray} |"));
    }
    text
}

fn random(walks: &[(u64, Walked)]) -> String {
    let mut text = "### Long histories by chance\n\n| seed | words | histories | judged | hub restarts | honest updates | \
                    green and true | false greens | blue without end | stuck | restarts that differ |\n\
                    |--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|\n"
        .to_string();
    for (seed, walked) in walks {
        let [lies, blue, stuck, restarts] = walked.faults();
        let green = walked.green.iter().sum();
        let covered = [walked.steps, walked.histories, walked.judged, walked.restarts, walked.updates];
        let counts = covered.into_iter().chain([green, lies, blue, stuck, restarts]);
        let counts: Vec<_> = counts.map(grouped).collect();
        line(&mut text, format_args!("| {seed} | {} |", counts.join(" | ")));
    }
    text
}

/// What simpler rules could gain at most: other runs that fit are not asked.
fn unproven(walks: &[(u64, Walked)]) -> String {
    let mut rules: BTreeMap<&str, u64> = BTreeMap::new();
    for (rule, count) in walks.iter().flat_map(|(_, walked)| &walked.unproven) {
        *rules.entry(rule).or_default() += count;
    }
    let mut text =
        "### True in its run, and not green, in the long histories\n\n| rule | cells |\n|---|--:|\n"
            .to_string();
    for (rule, count) in rules {
        line(&mut text, format_args!("| {rule} | {} |", grouped(count)));
    }
    text
}

fn line(text: &mut String, line: std::fmt::Arguments<'_>) {
    // A `String` takes whatever is written to it.
    let _ = writeln!(text, "{line}");
}

/// A number with its thousands apart.
fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            text.push(' ');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_stands_around_the_tables_is_kept() {
        let text = format!("before\n{BEGIN}\nold\n{END}\nafter\n");
        let anew = put(&text, "new\n").unwrap();
        assert_eq!(anew, format!("before\n{BEGIN}\n\nnew\n\n{END}\nafter\n"));
        assert_eq!(put(&anew, "new\n").unwrap(), anew);
        assert_eq!(put("no marks", "new"), None);
    }

    #[test]
    fn thousands_are_apart() {
        assert_eq!([0, 999, 1000, 1_234_567].map(grouped), ["0", "999", "1 000", "1 234 567"]);
    }
}
