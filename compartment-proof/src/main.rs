//! `proof`: the worlds, from a terminal.

use std::process::ExitCode;
use std::time::Instant;

use clap::{Parser, Subcommand};
use compartment_proof::fold::CELLS;
use compartment_proof::random::walk;
use compartment_proof::search::{Covered, search};
use compartment_proof::shrink::{shrink, tell};
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
        /// How many words; what fits into a minute altogether unless said.
        #[arg(long)]
        depth: Option<usize>,
        /// This many words more than what fits into a minute.
        #[arg(long, default_value_t = 0)]
        deeper: usize,
        /// Only worlds whose name contains this.
        #[arg(long)]
        only: Option<String>,
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
}

fn main() -> ExitCode {
    match Arguments::parse().what {
        What::Random { seed, steps, faults } => {
            let begun = Instant::now();
            let walked = walk(seed, steps, faults);
            let seconds = begun.elapsed().as_secs_f64();
            let rate = walked.steps as f64 / seconds;
            println!(
                "{} words in {} histories, {seconds:.1} s ({rate:.0} a second)",
                walked.steps, walked.histories
            );
            println!("judged {}; true {:?}; green {:?}", walked.judged, walked.truths, walked.green);
            println!("{} restarts, {} updates", walked.restarts, walked.updates);
            for (rule, count) in &walked.unproven {
                println!("  true and not green by {rule}: {count}");
            }
            for wrong in &walked.wrong {
                println!("\n{:?} (seed {})\n{}", wrong.what, wrong.seed, wrong.history);
            }
            if walked.wrong.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
        }
        What::Worlds { depth, deeper, only, needless } => {
            let mut failures = 0;
            for world in worlds() {
                if only.as_ref().is_some_and(|only| !world.name.contains(only.as_str())) {
                    continue;
                }
                let depth = depth.unwrap_or(world.depth + deeper);
                let begun = Instant::now();
                let covered = search(&world, depth);
                println!("{} (depth {depth}, {:.1} s)", world.name, begun.elapsed().as_secs_f64());
                failures += print(&world, &covered, needless);
            }
            if failures == 0 {
                println!("no false green");
                ExitCode::SUCCESS
            } else {
                println!("{failures} kinds of false green");
                ExitCode::FAILURE
            }
        }
    }
}

fn print(world: &World, covered: &Covered, needless: bool) -> usize {
    println!(
        "  {} histories ({} that no run fits), {} sets of runs of at most {} runs",
        covered.histories, covered.contradictions, covered.beliefs, covered.runs
    );
    let green: Vec<_> = CELLS.iter().zip(covered.green).map(|(cell, n)| format!("{cell} {n}")).collect();
    println!("  rightly green: {}", green.join(", "));
    for (rule, found) in &covered.needless {
        let color = if found.gray { "gray" } else { "yellow" };
        println!("  needless {color} {rule}: {}", found.count);
        if needless {
            println!(
                "{}",
                compartment_proof::fold::lines(&found.shortest, world.law.locks, world.law.session)
            );
        }
    }
    let mut shown: Vec<Vec<_>> = Vec::new();
    for found in &covered.found {
        let small = shrink(&world.law, found);
        if shown.contains(&small.words) {
            continue;
        }
        println!("\n{}", tell(&world.law, &small));
        shown.push(small.words);
    }
    shown.len()
}
