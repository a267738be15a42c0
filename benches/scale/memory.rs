//! How much memory the command line takes at its peak.

use std::process::Child;

use super::pair::print_figure;
use super::planning::{Bench, Case, NODES};
use super::process::Process;
use super::world::World;

const MOST: u64 = 64 << 20;

pub fn run(quick: bool) -> usize {
    let mut misses = 0;
    println!("\nPeak memory of `topo plan --no-refresh` (VmHWM)");
    let sizes: &[usize] = if quick { &[NODES] } else { &[100, 1000, NODES, 20_000] };
    let mut bench = Bench::new();
    for shape in [World::one_link, World::many_subnets] {
        for nodes in sizes {
            let bare = shape(*nodes);
            let worlds = [Some(bare), (*nodes == NODES).then(|| bare.with_files())];
            for world in worlds.into_iter().flatten() {
                for case in Case::ALL {
                    let folder = bench.files(world, case);
                    for json in [false, true] {
                        if case == Case::First && *nodes > NODES && world.per_subnet.is_some() {
                            continue;
                        }
                        let peak = watch(&mut Process::plan(&folder).with(json.then_some("--json")).start());
                        let bar = (*nodes == NODES).then(|| (peak <= MOST, "≤ 64.0 MB".to_owned()));
                        let form = if json { "--json" } else { "text" };
                        let figure = format!("{:.1} MB", peak as f64 / f64::from(1 << 20));
                        misses += print_figure(&format!("  {}, {}, {form}", world.label(), case.label()), &figure, bar);
                    }
                }
            }
        }
    }
    misses
}

/// The kernel keeps the peak for as long as the process lives, so the last look is at most its last moment short.
fn watch(child: &mut Child) -> u64 {
    let path = format!("/proc/{}/status", child.id());
    let mut peak = 0;
    loop {
        let status = std::fs::read_to_string(&path).unwrap_or_default();
        let kilobytes =
            status.lines().find_map(|line| line.strip_prefix("VmHWM:")?.trim().strip_suffix(" kB")?.parse().ok());
        peak = peak.max(kilobytes.unwrap_or(0_u64) * 1024);
        if let Some(status) = child.try_wait().expect("topo") {
            assert!(status.success() && peak > 0, "topo ended with {status}");
            return peak;
        }
        std::thread::sleep(std::time::Duration::from_micros(200));
    }
}
