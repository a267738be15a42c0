//! What topo costs at scale, each figure beside its reference of the same run: `cargo bench`, or `cargo bench -- quick`.
//! `cargo bench -- plan`, `memory` or `ssh` runs one part.
//!
//! Machines are noisy, so that topo and the reference are run by turns, and the median of the ratios of neighbours is what a
//! bar is held against. The exit code is 1 where a bar is missed.
#![allow(clippy::print_stdout, reason = "figures are for people")]
#![allow(unreachable_pub, reason = "a binary has no outside")]
#![allow(clippy::cast_precision_loss, reason = "figures have three digits")]

#[path = "scale/act.rs"]
mod act;
#[path = "scale/memory.rs"]
mod memory;
#[path = "scale/pair.rs"]
mod pair;
#[path = "scale/planning.rs"]
mod planning;
#[path = "scale/world.rs"]
mod world;

use std::process::ExitCode;

fn main() -> ExitCode {
    // `cargo bench` gives `--bench` to every binary.
    let arguments: Vec<String> = std::env::args().skip(1).filter(|argument| argument != "--bench").collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let misses = match words.as_slice() {
        // This binary is its own child: the reference as a process, and the operator inside a lab.
        ["child-reference", folder] => {
            planning::reference_of_files(folder.as_ref());
            0
        }
        ["child-act", lab, rounds] => act::inside(lab.as_ref(), rounds.parse().unwrap_or(1)),
        words => {
            let quick = words.contains(&"quick");
            let parts: Vec<&str> = words.iter().copied().filter(|word| *word != "quick").collect();
            let runs = |part: &str| parts.is_empty() || parts.contains(&part);
            let mut misses = 0;
            if runs("plan") {
                misses += planning::run(quick);
            }
            if runs("memory") {
                misses += memory::run(quick);
            }
            if runs("ssh") {
                misses += act::run(quick);
            }
            println!("\n{}", if misses == 0 { "All bars hold.".to_owned() } else { format!("{misses} missed.") });
            misses
        }
    };
    if misses == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
