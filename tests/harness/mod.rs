//! Raises labs for tests, runs topo in them, and runs the tests that need one.

mod lab;
mod redaction;

use std::process::ExitCode;
use std::time::{Duration, Instant};

pub use lab::{Lab, LabOptions, Reply};
use libtest_mimic::{Arguments, Completion, Trial};

/// Lists the tests of `lab_cases`: `MODULE::FUNCTION, …`.
macro_rules! lab_tests {
    ($($module:ident :: $test:ident),* $(,)?) => {
        /// All tests that need a lab.
        pub fn all() -> Vec<(&'static str, fn())> {
            vec![$((concat!(stringify!($module), "::", stringify!($test)), $module::$test as fn())),*]
        }
    };
}
pub(crate) use lab_tests;

/// Runs the tests as libtest would; where no lab can run, each is ignored, with the reason. `TOPO_TEST_LAB=required` makes
/// that an error, for CI.
pub fn run(tests: &[(&'static str, fn())]) -> ExitCode {
    let mut arguments = Arguments::from_args();
    // A lab is a few dozen processes.
    let threads = std::thread::available_parallelism().map_or(2, usize::from).clamp(2, 4);
    arguments.test_threads.get_or_insert(threads);
    let hindrance = if arguments.list { None } else { lab::hindrance() };
    if hindrance.is_none() && !arguments.list {
        lab::reap();
    }
    if let (Some(reason), true) = (&hindrance, std::env::var("TOPO_TEST_LAB").is_ok_and(|value| value == "required")) {
        panic!("{reason}");
    }
    let trials = tests
        .iter()
        .map(|&(name, test)| {
            let hindrance = hindrance.clone();
            Trial::ignorable_test(name, move || {
                if let Some(reason) = hindrance {
                    return Ok(Completion::ignored_with(reason));
                }
                test();
                Ok(Completion::Completed)
            })
        })
        .collect();
    libtest_mimic::run(&arguments, trials).exit_code()
}

/// Waits for a condition, for up to 5 s.
pub fn eventually(what: &str, condition: impl FnMut() -> bool) {
    assert!(within(Duration::from_secs(5), condition), "waited in vain for {what}");
}

/// Whether a condition comes true in time.
pub fn within(limit: Duration, mut condition: impl FnMut() -> bool) -> bool {
    let start = Instant::now();
    loop {
        if condition() {
            return true;
        }
        if start.elapsed() > limit {
            return false;
        }
        std::thread::sleep(Duration::from_millis(20));
    }
}
