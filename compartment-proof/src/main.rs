//! `proof`: the fold against the honest host, from a terminal.

use std::io::{self, Write};
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Instant;

use clap::{Parser, Subcommand, value_parser};
use compartment_proof::fold::{CELLS, lines};
use compartment_proof::random::walk_all;
use compartment_proof::search::{Covered, search_all};
use compartment_proof::shrink::{shrink, tell};
use compartment_proof::table::{put, tables};
use compartment_proof::worlds::{World, worlds};

/// Holds the fold against the honest host of CORE-006, section 10.
#[derive(Parser)]
struct Arguments {
    #[command(subcommand)]
    what: What,
}

#[derive(Subcommand)]
enum What {
    /// All histories of the small worlds, up to a length.
    Worlds {
        /// How many words follow the first ones of each world. Without it, each world has its own number: what fits
        /// into a minute for all of them.
        #[arg(long, value_parser = value_parser!(u8).range(1..=MOST_WORDS))]
        depth: Option<u8>,
        /// How many words more than without --depth, in each world.
        #[arg(long, default_value_t = 0, value_parser = value_parser!(u8).range(0..=MOST_WORDS), conflicts_with = "depth")]
        deeper: u8,
        /// Only worlds whose name contains this: one piece of text, no list.
        #[arg(long, default_value = "")]
        only: String,
        /// Show the shortest history of every needless yellow or gray.
        #[arg(long)]
        needless: bool,
    },
    /// Long histories by chance.
    Random {
        /// The first seed.
        #[arg(long, default_value_t = 1)]
        seed: u64,
        /// How many words are heard.
        #[arg(long, default_value_t = 1_000_000, value_parser = value_parser!(u64).range(1..))]
        steps: u64,
        /// Stop after so many faults.
        #[arg(long, default_value_t = 5)]
        faults: usize,
    },
    /// Works out the tables of docs/PROOF.md and writes them into it, in place of those that are there.
    Table {
        /// The file to change.
        #[arg(long, default_value = "docs/PROOF.md")]
        file: PathBuf,
        /// How many words more than the worlds have of themselves.
        #[arg(long, default_value_t = 0, value_parser = value_parser!(u8).range(0..=MOST_WORDS))]
        deeper: u8,
        /// The seeds of the long histories, a row for each.
        #[arg(long, default_value = "1", value_delimiter = ',')]
        seeds: Vec<u64>,
        /// How many words are heard by each seed.
        #[arg(long, default_value_t = 1_000_000, value_parser = value_parser!(u64).range(1..))]
        steps: u64,
    },
}

/// More words than these no machine gets through in any world.
const MOST_WORDS: i64 = 50;

fn main() -> ExitCode {
    let mut out = io::stdout().lock();
    let done = match Arguments::parse().what {
        What::Worlds { depth, deeper, only, needless } => {
            let words = |world: &World| depth.map_or(world.depth + usize::from(deeper), usize::from);
            small_worlds(&mut out, &only, words, needless)
        }
        What::Random { seed, steps, faults } => random(&mut out, seed, steps, faults),
        What::Table { file, deeper, seeds, steps } => {
            let name = file.display();
            table(&mut out, &file, deeper.into(), &seeds, steps)
                .map_err(|error| io::Error::new(error.kind(), format!("{name}: {error}")))
        }
    };
    match done {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        // Whoever read it has seen enough.
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

fn small_worlds(
    out: &mut impl Write,
    only: &str,
    depth: impl Fn(&World) -> usize + Sync,
    needless: bool,
) -> io::Result<bool> {
    let all = worlds();
    let worlds: Vec<_> = all.iter().filter(|world| world.name.contains(only)).cloned().collect();
    if worlds.is_empty() {
        let names: Vec<_> = all.iter().map(|world| world.name).collect();
        return Err(io::Error::other(format!(
            "no world is named like {only:?}; there are: {}",
            names.join(", ")
        )));
    }
    let begun = Instant::now();
    let (mut lies, mut blue) = (0, 0);
    for (world, covered) in worlds.iter().zip(search_all(&worlds, &depth)) {
        writeln!(out, "{}: {}, {} + {} words", world.name, world.about, world.start.len(), depth(world))?;
        lies += print(out, world, &covered, needless)?;
        blue += covered.blue.0;
    }
    let seconds = begun.elapsed().as_secs_f64();
    writeln!(out, "{lies} kinds of false green, {blue} histories blue without end, {seconds:.1} s")?;
    Ok(lies == 0 && blue == 0)
}

/// How many kinds of false green there are.
fn print(out: &mut impl Write, world: &World, covered: &Covered, needless: bool) -> io::Result<usize> {
    writeln!(
        out,
        "  {} histories ({} that no run fits), {} sets of runs, of at most {} runs",
        covered.histories, covered.contradictions, covered.beliefs, covered.runs
    )?;
    let green: Vec<_> = CELLS.iter().zip(covered.green).map(|(cell, n)| format!("{cell} {n}")).collect();
    writeln!(out, "  green and true: {}", green.join(", "))?;
    for (rule, found) in &covered.needless {
        let color = if found.gray { "gray" } else { "yellow" };
        writeln!(out, "  needless {color} {rule}: {}", found.count)?;
        if needless {
            writeln!(out, "{}", lines(&found.shortest, world.law.locks, world.law.session))?;
        }
    }
    if let (count @ 1.., first) = &covered.blue {
        let first = lines(first, world.law.locks, world.law.session);
        writeln!(out, "\nblue past every deadline after {count} histories, one of them:\n{first}")?;
    }
    let mut shown: Vec<Vec<_>> = Vec::new();
    for found in &covered.found {
        let small = shrink(&world.law, found);
        if !shown.contains(&small.words) {
            writeln!(out, "\n{}", tell(&world.law, &small))?;
            shown.push(small.words);
        }
    }
    Ok(shown.len())
}

fn random(out: &mut impl Write, seed: u64, steps: u64, faults: usize) -> io::Result<bool> {
    let begun = Instant::now();
    let walked = walk_all(seed, steps, faults);
    let seconds = begun.elapsed().as_secs_f64();
    let rate = walked.steps as f64 / seconds;
    writeln!(
        out,
        "{} words in {} histories, {seconds:.1} s, {rate:.0} a second",
        walked.steps, walked.histories
    )?;
    writeln!(
        out,
        "{} restarts, {} honest updates; judged {} times",
        walked.restarts, walked.updates, walked.judged
    )?;
    for ((cell, so), green) in CELLS.iter().zip(walked.truths).zip(walked.green) {
        writeln!(out, "  {cell}: true {so} times, and of these shown green {green} times")?;
    }
    for (rule, count) in &walked.unproven {
        writeln!(out, "  true in its run and not green, by {rule}: {count}")?;
    }
    for wrong in &walked.wrong {
        writeln!(out, "\n{:?}, seed {}, {} steps\n{}", wrong.what, wrong.seed, wrong.steps, wrong.history)?;
    }
    let [greens, blue, stuck, restarts] = walked.faults();
    writeln!(
        out,
        "{greens} false greens, {blue} blue without end, {stuck} stuck, {restarts} restarts that differ"
    )?;
    Ok(walked.wrong.is_empty())
}

fn table(out: &mut impl Write, file: &PathBuf, deeper: usize, seeds: &[u64], steps: u64) -> io::Result<bool> {
    let text = std::fs::read_to_string(file)?;
    let worlds = worlds();
    let depth = |world: &World| world.depth + deeper;
    let covered = search_all(&worlds, depth);
    let rows: Vec<_> = worlds
        .into_iter()
        .zip(covered)
        .map(|(world, covered)| (world.clone(), depth(&world), covered))
        .collect();
    let walked: Vec<_> = seeds.iter().map(|seed| (*seed, walk_all(*seed, steps, 100))).collect();
    let missing = || io::Error::other("the marks around the tables are missing");
    let anew = put(&text, &tables(&rows, &walked)).ok_or_else(missing)?;
    std::fs::write(file, anew)?;
    let faults = rows.iter().map(|(_, _, covered)| covered.found.len() + usize::from(covered.blue.0 > 0));
    let faults = faults.sum::<usize>() + walked.iter().map(|(_, walked)| walked.wrong.len()).sum::<usize>();
    writeln!(out, "the tables of {} are written; faults in them: {faults}", file.display())?;
    Ok(faults == 0)
}
