//! `proof`: the fold against the honest host, from a terminal.

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Instant;

use clap::{Parser, Subcommand};
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
        /// How many words; in each world what fits into a minute for all, unless said.
        #[arg(long)]
        depth: Option<usize>,
        /// So many words more than what fits into a minute.
        #[arg(long, default_value_t = 0)]
        deeper: usize,
        /// Only worlds whose name contains this.
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
        #[arg(long, default_value_t = 1_000_000)]
        steps: u64,
        /// Stop after so many faults.
        #[arg(long, default_value_t = 5)]
        faults: usize,
    },
    /// Writes the tables of docs/PROOF.md anew.
    Table {
        /// The file.
        #[arg(long, default_value = "docs/PROOF.md")]
        file: PathBuf,
        /// So many words more than what fits into a minute.
        #[arg(long, default_value_t = 0)]
        deeper: usize,
        /// The first seed of the long histories.
        #[arg(long, default_value_t = 1)]
        seed: u64,
        /// How many words of long histories are heard.
        #[arg(long, default_value_t = 1_000_000)]
        steps: u64,
    },
}

fn main() -> ExitCode {
    let right = match Arguments::parse().what {
        What::Worlds { depth, deeper, only, needless } => {
            small_worlds(&only, |world| depth.unwrap_or(world.depth + deeper), needless)
        }
        What::Random { seed, steps, faults } => random(seed, steps, faults),
        What::Table { file, deeper, seed, steps } => match table(&file, deeper, seed, steps) {
            Ok(()) => true,
            Err(error) => {
                eprintln!("{}: {error}", file.display());
                false
            }
        },
    };
    if right { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn small_worlds(only: &str, depth: impl Fn(&World) -> usize + Sync, needless: bool) -> bool {
    let worlds: Vec<_> = worlds().into_iter().filter(|world| world.name.contains(only)).collect();
    let begun = Instant::now();
    let mut lies = 0;
    for (world, covered) in worlds.iter().zip(search_all(&worlds, &depth)) {
        println!("{}: {}, {} + {} words", world.name, world.about, world.start.len(), depth(world));
        lies += print(world, &covered, needless);
    }
    println!("{lies} kinds of false green, {:.1} s", begun.elapsed().as_secs_f64());
    lies == 0
}

/// How many kinds of false green there are.
fn print(world: &World, covered: &Covered, needless: bool) -> usize {
    println!(
        "  {} histories ({} that no run fits), {} sets of runs, of at most {} runs",
        covered.histories, covered.contradictions, covered.beliefs, covered.runs
    );
    let green: Vec<_> = CELLS.iter().zip(covered.green).map(|(cell, n)| format!("{cell} {n}")).collect();
    println!("  green and true: {}", green.join(", "));
    for (rule, found) in &covered.needless {
        let color = if found.gray { "gray" } else { "yellow" };
        println!("  needless {color} {rule}: {}", found.count);
        if needless {
            println!("{}", lines(&found.shortest, world.law.locks, world.law.session));
        }
    }
    let mut shown: Vec<Vec<_>> = Vec::new();
    for found in &covered.found {
        let small = shrink(&world.law, found);
        if !shown.contains(&small.words) {
            println!("\n{}", tell(&world.law, &small));
            shown.push(small.words);
        }
    }
    shown.len()
}

fn random(seed: u64, steps: u64, faults: usize) -> bool {
    let begun = Instant::now();
    let walked = walk_all(seed, steps, faults);
    let seconds = begun.elapsed().as_secs_f64();
    let rate = walked.steps as f64 / seconds;
    println!("{} words in {} histories, {seconds:.1} s, {rate:.0} a second", walked.steps, walked.histories);
    println!(
        "{} restarts, {} honest updates; judged {} times",
        walked.restarts, walked.updates, walked.judged
    );
    for ((cell, so), green) in CELLS.iter().zip(walked.truths).zip(walked.green) {
        println!("  {cell}: true {so}, green {green}");
    }
    for (rule, count) in &walked.unproven {
        println!("  true in its run and not green, by {rule}: {count}");
    }
    for wrong in &walked.wrong {
        println!("\n{:?}, seed {}, {} steps\n{}", wrong.what, wrong.seed, wrong.steps, wrong.history);
    }
    walked.wrong.is_empty()
}

fn table(file: &PathBuf, deeper: usize, seed: u64, steps: u64) -> std::io::Result<()> {
    let text = std::fs::read_to_string(file)?;
    let worlds = worlds();
    let depth = |world: &World| world.depth + deeper;
    let covered = search_all(&worlds, depth);
    let rows: Vec<_> = worlds
        .into_iter()
        .zip(covered)
        .map(|(world, covered)| (world.clone(), depth(&world), covered))
        .collect();
    let walked = walk_all(seed, steps, 100);
    let missing = || std::io::Error::other("the marks around the tables are missing");
    let anew = put(&text, &tables(&rows, (seed, &walked))).ok_or_else(missing)?;
    std::fs::write(file, anew)
}
