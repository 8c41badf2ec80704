//! A failure in its smallest form, with the run that is its witness.

use compartment_core::Compartment;

use crate::belief::{close, say};
use crate::choice::{Again, Every};
use crate::fold::{LATE, Shown, is_green, is_true, lines, simpler, touches};
use crate::host::{FLIGHTS, Law, Run};
use crate::search::{Found, Lie};
use crate::word::Word;

/// The smallest history that fails in the same cell: words left out, then parts of words.
#[must_use]
pub fn shrink(law: &Law, found: &Found) -> Found {
    let mut best = found.clone();
    'again: loop {
        for place in (0..best.words.len()).rev() {
            let mut words = best.words.clone();
            words.remove(place);
            if let Some(smaller) = fails(law, &words, best.cell, best.lie) {
                best = smaller;
                continue 'again;
            }
        }
        for place in 0..best.words.len() {
            for word in simpler(&best.words[place]) {
                let mut words = best.words.clone();
                words[place] = word;
                if let Some(smaller) = fails(law, &words, best.cell, best.lie) {
                    best = smaller;
                    continue 'again;
                }
            }
        }
        return best;
    }
}

/// Whether the cell is falsely green, for this reason, after these words.
fn fails(law: &Law, words: &[Word], cell: Compartment, lie: Lie) -> Option<Found> {
    let (shown, desired) = hear(law, words);
    let late = [false, true]
        .into_iter()
        .find(|late| shown.cells(*late).is_some_and(|cells| is_green(&cells, cell)))?;
    let rule = shown.cells(late)?.verdict(cell).rule;
    let wide = if lie == Lie::Contradiction { &widest(law) } else { law };
    let runs = fitting(wide, words);
    let false_in_one = runs.iter().any(|run| run.counts() && !is_true(&run.truth(law, desired), cell));
    let none_fits =
        !runs.iter().any(Run::counts) && words.last().is_some_and(|word| touches(law, word, cell));
    let so = match lie {
        Lie::NotTrue => false_in_one,
        // What the words before the last already exclude is another story.
        Lie::Contradiction => {
            let before = words.split_last().map(|(_, before)| fitting(wide, before));
            none_fits && before.is_some_and(|runs| runs.iter().any(Run::counts))
        }
    };
    so.then(|| Found { cell, rule, lie, late, words: words.to_vec() })
}

fn hear(law: &Law, words: &[Word]) -> (Shown, u8) {
    let mut shown = Shown::new(law.session);
    let mut desired = 0;
    let mut had = 0_u8;
    for word in words {
        shown.hear(word, law.locks);
        if let Word::Merged(commit, _) = word
            && had >> commit & 1 == 1
        {
            continue;
        }
        if let Word::Observed(commit, _) | Word::Merged(commit, _) = word {
            desired = *commit;
            had |= 1 << commit;
        }
    }
    (shown, desired)
}

/// A law with as many results under way as can be, where there are any.
#[must_use]
pub fn widest(law: &Law) -> Law {
    Law { late: if law.late > 0 { FLIGHTS } else { 0 }, ..law.clone() }
}

/// All runs that fit these words.
#[must_use]
pub fn fitting(law: &Law, words: &[Word]) -> Vec<Run> {
    let mut runs = Run::all(law);
    for (place, word) in words.iter().enumerate() {
        if repeats(words, place) {
            continue;
        }
        if word.is_report() {
            runs = close(law, &runs);
        }
        runs = say(law, &runs, word);
        runs.sort_unstable();
        runs.dedup();
    }
    runs
}

/// Whether the word at this place is a result that was heard before.
fn repeats(words: &[Word], place: usize) -> bool {
    matches!(words[place], Word::Result { id: Some(_), .. }) && words[..place].contains(&words[place])
}

/// A run that fits and in which the cell is not true, in words.
#[must_use]
pub fn witness(law: &Law, found: &Found) -> Vec<String> {
    let (_, desired) = hear(law, &found.words);
    let mut runs: Vec<(Run, Vec<String>)> = Run::all(law)
        .into_iter()
        .enumerate()
        .map(|(commit, run)| (run, vec![format!("the checkout is at commit {}", letter(commit))]))
        .collect();
    for (place, word) in found.words.iter().enumerate() {
        if repeats(&found.words, place) {
            runs.iter_mut().for_each(|(_, told)| told.push(format!("heard again: {}", line(law, word))));
            continue;
        }
        if word.is_report() {
            runs = follow(
                runs,
                true,
                |run, choice| run.hidden(law, choice),
                |run, again| run.hidden(law, again),
            );
        }
        runs = follow(
            runs,
            false,
            |run, every| run.says(law, word, every),
            |run, again| run.says(law, word, again),
        );
        runs.iter_mut().for_each(|(_, told)| told.push(format!("heard: {}", line(law, word))));
    }
    let lies = |run: &Run| run.counts() && !is_true(&run.truth(law, desired), found.cell);
    let shortest = runs.into_iter().filter(|(run, _)| lies(run)).min_by_key(|(_, told)| told.len());
    shortest.map(|(_, told)| told).unwrap_or_else(|| vec!["no run of an honest host fits".to_string()])
}

/// What becomes of runs by every choice, each with what happened in it. `more`: as often as it can be done again.
fn follow(
    runs: Vec<(Run, Vec<String>)>,
    more: bool,
    step: impl Fn(&mut Run, &mut Every) -> Option<()>,
    again: impl Fn(&mut Run, &mut Again) -> Option<()>,
) -> Vec<(Run, Vec<String>)> {
    let mut all: Vec<(Run, Vec<String>)> = if more { runs.clone() } else { Vec::new() };
    let mut open = runs;
    while let Some((from, told)) = open.pop() {
        Every::explore(|every| {
            let mut run = from;
            if step(&mut run, every).is_none() || all.iter().any(|(known, _)| *known == run) {
                return;
            }
            let mut replay = Again::new(every.path());
            again(&mut from.clone(), &mut replay);
            let mut told = told.clone();
            told.extend(replay.told);
            all.push((run, told.clone()));
            if more {
                open.push((run, told));
            }
        });
    }
    all
}

fn letter(commit: usize) -> char {
    char::from(b'a' + commit as u8)
}

fn line(law: &Law, word: &Word) -> String {
    let line = lines(&[*word], law.locks, false);
    // After the format's version and the time, which are of no interest here.
    match line.splitn(3, ',').nth(2) {
        None => "nothing, for more than half an hour".to_string(),
        Some(rest) => short(rest.strip_suffix('}').unwrap_or(rest)),
    }
}

/// Hashes cut to seven digits.
fn short(line: &str) -> String {
    let mut short = String::new();
    let mut same = 0;
    for c in line.chars() {
        same = if short.ends_with(c) { same + 1 } else { 1 };
        if same <= 7 {
            short.push(c);
        }
    }
    short
}

/// A failure in words, with its history as `fold` reads it.
#[must_use]
pub fn tell(law: &Law, found: &Found) -> String {
    let Found { cell, rule, lie, late, words } = found;
    let when = if *late { format!(", read {LATE} later") } else { String::new() };
    let why = match lie {
        Lie::NotTrue => "in this run of an honest host it is not true:",
        Lie::Contradiction => "no run of an honest host fits the last word",
    };
    let witness = match lie {
        Lie::NotTrue => witness(law, found).iter().map(|step| format!("\n  - {step}")).collect(),
        Lie::Contradiction => String::new(),
    };
    let history = lines(words, law.locks, law.session);
    format!("{cell} is green by {rule}{when}; {why}{witness}\n{history}\n")
}
