//! Where topo would put a file, somebody has a folder. It stays as it is.

use std::sync::Arc;

use topo::plan::Options;

use super::cases::{FILE_FIRST, FIRST, NETWORKD, SETUP};
use super::machine::{Machine, Programs};
use super::runs::Stage;
use crate::fake::world::Ran;

#[test]
#[expect(clippy::print_stderr, reason = "a test that is skipped says so")]
fn a_folder_in_the_place_of_a_file_is_told_and_left_alone() {
    let programs = Arc::new(Programs::new());
    if let Err(reason) = Machine::new(&programs, "") {
        return eprintln!("skipped: no network namespace can be made here: {reason}");
    }
    for (setup, text, folder, told, is_complete) in [
        (SETUP, FIRST, "/etc/topo/kthw", "could not write or remove the marker /etc/topo/kthw (it is a folder)", true),
        (SETUP, FIRST, "/etc/sysctl.d/60-topo.conf", "cat /etc/sysctl.d/60-topo.conf", false),
        (NETWORKD, FILE_FIRST, "/etc/systemd/network/eth0.network.d/60-topo.conf", "60-topo.conf is a folder", false),
    ] {
        let stage = Stage::new(&programs, &format!("{setup}mkdir -p {folder}\n")).expect("a machine");
        let Ran::Done(outcome) = stage.apply(text, &Options::default()) else { panic!("{folder}: nothing was done") };
        let said = format!("{:?} {:?}", outcome.warnings, outcome.failures);
        assert!(said.contains(told), "{folder}: {said}");
        assert_eq!(outcome.is_complete(), is_complete, "{folder}: {outcome:?}");
        let found = stage.by_hand(&format!("find {folder} {folder}/../.60* {folder}/../.kthw* 2>/dev/null"));
        assert_eq!(found.trim(), folder);
    }
}
