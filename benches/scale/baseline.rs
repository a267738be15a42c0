//! The committed record of instructions, and the check that nothing executes more.

use std::collections::BTreeMap;
use std::fmt::Write;

use super::planning::{Bench, Case, NODES};
use super::process::tools;
use super::world::World;

/// How much more than the record something may execute: three in a hundred.
const TOLERANCE: f64 = 1.03;
const PATH: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/benches/baseline.txt");

const HEADER: &str = "\
# Instructions of `topo plan --no-refresh` and of its floor, counted by callgrind: one process a line.
# `cargo bench -- check` fails where something executes more than 3 % more than is recorded here.
# Write this file anew with `cargo bench -- record`: after a change that makes something faster, or slower on purpose (say
# why in the commit), and for other tools. The counts are valid for these tools alone:
";

/// What is recorded.
fn measure() -> Vec<(String, u64)> {
    let mut bench = Bench::new();
    let mut counts = Vec::new();
    let mut add = |count: (String, u64)| {
        println!("  {:<58} {:>15}", count.0, count.1);
        counts.push(count);
    };
    for shape in [World::one_link, World::many_subnets] {
        for world in [shape(NODES), shape(NODES).with_files()] {
            for case in Case::ALL {
                add(bench.topo(world, case));
            }
            add(bench.floor(world, Case::Unchanged));
            add(bench.json(world, Case::OneMore));
        }
    }
    counts
}

/// Writes the record anew.
pub fn record() -> usize {
    println!("\nInstructions");
    let mut text = format!("{HEADER}# {}\n", tools());
    for (name, count) in measure() {
        writeln!(text, "{name}: {count}").expect("text");
    }
    std::fs::write(PATH, text).expect("the record is written");
    0
}

/// Compares with the record; the number of processes that execute too much.
pub fn check() -> usize {
    let text = std::fs::read_to_string(PATH).expect("benches/baseline.txt");
    let expected = format!("# {}", tools());
    if !text.lines().any(|line| line == expected) {
        println!("SKIPPED: benches/baseline.txt was made with other tools than {}.", tools());
        println!("Write it anew at the commit to compare with: cargo bench -- record");
        return 0;
    }
    let recorded: BTreeMap<&str, u64> = text
        .lines()
        .filter(|line| !line.starts_with('#'))
        .filter_map(|line| line.rsplit_once(": "))
        .map(|(name, count)| (name, count.parse().expect("a count")))
        .collect();
    println!("\nInstructions");
    let counts = measure();
    let mut misses = 0;
    println!("\nAgainst benches/baseline.txt");
    for (name, count) in &counts {
        let Some(before) = recorded.get(name.as_str()) else {
            println!("  {name:<58} is not recorded  MISS");
            misses += 1;
            continue;
        };
        let ratio = *count as f64 / *before as f64;
        let verdict = if ratio <= TOLERANCE { "PASS" } else { "MISS" };
        misses += usize::from(ratio > TOLERANCE);
        println!("  {name:<58} {before:>15} {count:>15} {:>+7.2} %  {verdict}", (ratio - 1.0) * 100.0);
    }
    misses
}
