//! Raises labs for tests, runs topo in them, and runs the tests that need one.

mod lab;
mod machines;
mod redaction;
mod watch;

use std::process::ExitCode;
use std::time::{Duration, Instant};

pub use lab::{Lab, LabOptions, Reply};
use libtest_mimic::{Arguments, Completion, Failed, Trial};
pub use machines::Machines;
pub use watch::Watch;

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

/// A test on whole machines.
pub struct MachineTest {
    pub name: &'static str,
    /// A shape of their network that a kernel may not have; or nothing.
    pub shape: &'static str,
    /// The release of Debian that they have; none for the usual one.
    pub release: Option<&'static str>,
    pub test: fn(),
}

/// Lists the tests of `lab_cases` on whole machines: `MODULE::FUNCTION, MODULE::FUNCTION needs "SHAPE", MODULE::FUNCTION also on "trixie", …`.
/// The last one is two tests.
macro_rules! machine_tests {
    ($($module:ident :: $test:ident $(needs $shape:literal)? $(also on $release:literal)?),* $(,)?) => {
        /// All tests that need whole machines.
        pub fn on_machines() -> Vec<crate::harness::MachineTest> {
            let test = |name, shape, release, test| crate::harness::MachineTest { name, shape, release, test };
            vec![$(
                test(
                    concat!(stringify!($module), "::", stringify!($test)), concat!($($shape)?), None, $module::$test as fn()
                ),
                $(test(
                    concat!(stringify!($module), "::", stringify!($test), "_on_", $release), "", Some($release), $module::$test as fn()
                ),)?
            )*]
        }
    };
}
pub(crate) use machine_tests;

/// Runs the tests as libtest would; where no lab can run, each is ignored, with the reason. `TOPO_TEST_LAB=required` makes
/// that an error, for CI, except for what the kernel lacks.
pub fn run(tests: &[(&'static str, fn())], on_machines: &[MachineTest]) -> ExitCode {
    let mut arguments = Arguments::from_args();
    // A lab is a few dozen processes, which wait most of the time.
    let threads = std::thread::available_parallelism().map_or(3, usize::from).clamp(3, 4);
    arguments.test_threads.get_or_insert(threads);
    let hindrance = if arguments.list { None } else { lab::hindrance() };
    if hindrance.is_none() && !arguments.list {
        lab::reap();
    }
    let required = std::env::var("TOPO_TEST_LAB").is_ok_and(|value| value == "required");
    if let (Some(reason), true) = (&hindrance, required) {
        panic!("{reason}");
    }
    let in_namespaces = tests.iter().map(|&(name, test)| {
        let hindrance = hindrance.clone();
        trial(name, test, move || hindrance.map_or(Ok(()), |reason| Err(Hindrance { reason, failure: required })))
    });
    let on_machines = on_machines.iter().map(|&MachineTest { name, shape, release, test }| {
        let hindrance = move || {
            let hindrance = machines::hindrance().or_else(|| release.and_then(machines::hindrance_of_release));
            match (hindrance, machines::shape_hindrance(shape)) {
                (Some(reason), _) => Err(Hindrance { reason, failure: required }),
                (None, Some(reason)) => Err(Hindrance { reason, failure: false }),
                (None, None) => Ok(()),
            }
        };
        trial(name, move || machines::on_release(release, test), hindrance)
    });
    let trials = in_namespaces.chain(on_machines).collect();
    libtest_mimic::run(&arguments, trials).exit_code()
}

/// Why a test cannot run, and whether that makes it fail.
struct Hindrance {
    reason: String,
    failure: bool,
}

fn trial(
    name: &str,
    test: impl FnOnce() + Send + 'static,
    may_run: impl FnOnce() -> Result<(), Hindrance> + Send + 'static,
) -> Trial {
    Trial::ignorable_test(name, move || match may_run() {
        Err(Hindrance { reason, failure: true }) => Err(Failed::from(reason)),
        Err(Hindrance { reason, failure: false }) => Ok(Completion::ignored_with(reason)),
        Ok(()) => {
            test();
            Ok(Completion::Completed)
        }
    })
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
