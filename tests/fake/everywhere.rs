//! Nodes and Azure in one run, in memory: faults at every message, kills at every write, late answers, random sequences.

mod books;
mod draft;
mod faults;
mod gone;
mod judged;
mod kills;
mod late;
mod random;
mod receivers;
mod scene;

/// What goes wrong in a list of cases, with the number of cases.
#[derive(Default)]
struct Tried {
    cases: usize,
    wrong: Vec<String>,
}

impl Tried {
    /// Tells how many cases were tried, and fails if something was wrong in one of them.
    #[track_caller]
    #[expect(clippy::print_stderr, reason = "the number of cases is a result")]
    fn tell(&self, what: &str) {
        eprintln!("{what}: {} combinations", self.cases);
        assert!(self.wrong.is_empty(), "{} are wrong:\n{}", self.wrong.len(), self.wrong.join("\n"));
    }
}
