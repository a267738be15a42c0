//! Two things timed by turns, and what came of it against a bar.

use std::time::{Duration, Instant};

/// Times of two things that were run by turns.
pub struct Pair {
    times: Vec<(Duration, Duration)>,
}

/// How often a pair is run: at least, at most, and for how long in between.
#[derive(Clone, Copy)]
pub struct Effort {
    pub least: usize,
    pub most: usize,
    pub time: Duration,
}

impl Effort {
    pub fn new(quick: bool) -> Self {
        if quick {
            Self { least: 3, most: 7, time: Duration::from_millis(600) }
        } else {
            Self { least: 5, most: 31, time: Duration::from_secs(1) }
        }
    }
}

impl Pair {
    /// Runs both by turns, who is first changing, after one turn that does not count.
    pub fn run(effort: Effort, mut topo: impl FnMut() -> Duration, mut reference: impl FnMut() -> Duration) -> Self {
        topo();
        reference();
        let start = Instant::now();
        let mut times = Vec::new();
        while times.len() < effort.least || (times.len() < effort.most && start.elapsed() < effort.time) {
            if times.len() % 2 == 0 {
                let one = topo();
                times.push((one, reference()));
            } else {
                let other = reference();
                times.push((topo(), other));
            }
        }
        Self { times }
    }

    pub fn topo(&self) -> Duration {
        median(self.times.iter().map(|(topo, _)| *topo).collect())
    }

    pub fn reference(&self) -> Duration {
        median(self.times.iter().map(|(_, reference)| *reference).collect())
    }

    /// The median of the ratios of neighbours.
    pub fn ratio(&self) -> f64 {
        let mut ratios: Vec<f64> =
            self.times.iter().map(|(topo, reference)| topo.as_secs_f64() / reference.as_secs_f64()).collect();
        ratios.sort_by(f64::total_cmp);
        ratios[ratios.len() / 2]
    }

    /// Prints a line; with a bar, tells whether it was missed.
    pub fn print(&self, what: &str, bar: Option<f64>) -> usize {
        let (verdict, missed) = verdict(bar.map(|bar| (self.ratio() <= bar, format!("≤ {bar} ×"))));
        println!(
            "{what:<58} {:>10} {:>10} {:>7.2} ×  {verdict}  ({} pairs)",
            milliseconds(self.topo()),
            milliseconds(self.reference()),
            self.ratio(),
            self.times.len()
        );
        missed
    }
}

/// The heading of the lines of pairs.
pub fn print_heading(title: &str, reference: &str) {
    println!(
        "\n{title}\n{:<58} {:>10} {:>10} {:>9}  bar",
        format!("  (reference: {reference})"),
        "topo",
        "reference",
        "ratio"
    );
}

/// Prints a figure with its bar; tells whether it was missed.
pub fn print_figure(what: &str, figure: &str, bar: Option<(bool, String)>) -> usize {
    let (verdict, missed) = verdict(bar);
    println!("{what:<68} {figure:>10}  {verdict}");
    missed
}

fn verdict(bar: Option<(bool, String)>) -> (String, usize) {
    match bar {
        None => ("–".to_owned(), 0),
        Some((true, bar)) => (format!("{bar} PASS"), 0),
        Some((false, bar)) => (format!("{bar} MISS"), 1),
    }
}

fn median(mut times: Vec<Duration>) -> Duration {
    times.sort_unstable();
    times.get(times.len() / 2).copied().unwrap_or_default()
}

pub fn milliseconds(time: Duration) -> String {
    format!("{:.1} ms", time.as_secs_f64() * 1000.0)
}
