//! How much memory the command line takes at its peak.

use std::io;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use super::pair::{print_figure, print_heading};
use super::world::World;

const MOST: u64 = 64 << 20;

pub fn run(quick: bool) -> usize {
    let mut misses = 0;
    print_heading("Peak memory of the process (VmHWM)", "none; the bar is for 5000 nodes");
    let sizes: &[usize] = if quick { &[5000] } else { &[100, 1000, 5000, 20_000] };
    let folder = tempfile::tempdir().expect("a folder");
    for shape in [World::one_link, World::many_subnets] {
        for nodes in sizes {
            let bare = shape(*nodes);
            let worlds = [Some(bare), (*nodes == 5000).then(|| bare.with_files())];
            for world in worlds.into_iter().flatten() {
                let document = world.state().to_json();
                for (case, world, document) in [
                    ("no state", world, None),
                    ("unchanged", world, Some(&document)),
                    ("one node added", world.with_one_more(), Some(&document)),
                ] {
                    let part = folder.path().join(format!("{case}, {}", world.label()));
                    let file = world.write(&part, document.map(Vec::as_slice));
                    for json in [false, true] {
                        if case == "no state" && *nodes > 5000 && world.per_subnet.is_some() {
                            continue;
                        }
                        let peak = peak(&file, json);
                        let bar = (*nodes == 5000).then(|| (peak <= MOST, "≤ 64.0 MB".to_owned()));
                        let form = if json { "--json" } else { "text" };
                        let figure = format!("{:.1} MB", peak as f64 / f64::from(1 << 20));
                        misses += print_figure(&format!("  {}, {case}, {form}", world.label()), &figure, bar);
                    }
                }
            }
        }
    }
    misses
}

/// The largest resident size of `topo plan --no-refresh`, in bytes.
fn peak(file: &Path, json: bool) -> u64 {
    let mut command = Command::new(env!("CARGO_BIN_EXE_topo"));
    command.args(["plan", "--no-refresh"]).args(json.then_some("--json")).arg(file);
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    let mut child = command.spawn().expect("topo starts");
    watch(&mut child).expect("topo ends well")
}

/// The kernel keeps the peak for as long as the process lives, so the last look is at most its last moment short.
fn watch(child: &mut Child) -> io::Result<u64> {
    let path = format!("/proc/{}/status", child.id());
    let mut peak = 0;
    loop {
        let status = std::fs::read_to_string(&path).unwrap_or_default();
        let kilobytes =
            status.lines().find_map(|line| line.strip_prefix("VmHWM:")?.trim().strip_suffix(" kB")?.parse().ok());
        peak = peak.max(kilobytes.unwrap_or(0_u64) * 1024);
        if let Some(status) = child.try_wait()? {
            assert!(status.success() && peak > 0, "topo ended with {status}");
            return Ok(peak);
        }
        std::thread::sleep(std::time::Duration::from_micros(200));
    }
}
