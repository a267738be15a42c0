//! What topo costs at scale, each figure with the bar that it is held against: `cargo bench`, or `cargo bench -- quick` for
//! fewer and smaller ones. `cargo bench -- plan`, `growth`, `memory` or `ssh` runs one part.
//!
//! Planning is measured in instructions of whole processes, counted by valgrind: they do not depend on what else the machine
//! does. The time is printed beside them and decides nothing. `cargo bench -- check` compares instructions with
//! benches/baseline.txt, and `cargo bench -- record` writes that file anew. `cargo bench -- write FOLDER` writes the
//! topologies and states that are measured, for a profiler. Over SSH, it is the CPU time of topo, of ssh and of the nodes together, by
//! turns with the reference, and the median of the ratios of neighbours decides. The exit code is 1 where a bar is missed.
#![allow(clippy::print_stdout, reason = "figures are for people")]
#![allow(unreachable_pub, reason = "a binary has no outside")]
#![allow(clippy::cast_precision_loss, reason = "figures have three digits")]

#[path = "scale/accounting.rs"]
mod accounting;
#[path = "scale/act.rs"]
mod act;
#[path = "scale/baseline.rs"]
mod baseline;
#[path = "scale/floor.rs"]
mod floor;
#[path = "scale/memory.rs"]
mod memory;
#[path = "scale/pair.rs"]
mod pair;
#[path = "scale/planning.rs"]
mod planning;
#[path = "scale/process.rs"]
mod process;
#[path = "scale/rivals.rs"]
mod rivals;
#[path = "scale/world.rs"]
mod world;

use std::process::ExitCode;

fn main() -> ExitCode {
    // `cargo bench` gives `--bench` to every binary.
    let arguments: Vec<String> = std::env::args().skip(1).filter(|argument| argument != "--bench").collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let misses = match words.as_slice() {
        // This binary is its own child: the floor as a process, and the operator inside a lab.
        ["child-floor"] => {
            floor::run();
            0
        }
        ["child-act", lab, rounds, tools] => act::inside(lab.as_ref(), rounds.parse().unwrap_or(1), tools.as_ref()),
        ["write", folder] => {
            planning::write_all(folder.as_ref());
            0
        }
        ["check"] => counted(baseline::check),
        ["record"] => counted(baseline::record),
        words => {
            let quick = words.contains(&"quick");
            let parts: Vec<&str> = words.iter().copied().filter(|word| *word != "quick").collect();
            let runs = |part: &str| parts.is_empty() || parts.contains(&part);
            let mut misses = 0;
            if runs("plan") {
                misses += counted(|| planning::run(quick));
            }
            if runs("growth") {
                misses += counted(|| planning::growth(quick));
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

/// Runs a part that counts instructions, or says why it cannot.
fn counted(part: impl FnOnce() -> usize) -> usize {
    match process::cannot_count() {
        None => part(),
        Some(reason) => {
            println!("SKIPPED: instructions of planning: {reason}.");
            0
        }
    }
}
