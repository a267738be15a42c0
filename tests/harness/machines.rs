//! A lab of whole machines, as a test sees it: a thin layer over the script `tests/lab/machines`.

use std::cell::Cell;
use std::collections::BTreeMap;
use std::ops::Deref;
use std::process::Stdio;
use std::sync::{Mutex, OnceLock};
use std::time::Duration;

use super::lab::{Lab, LabOptions, Node, script, text};
use super::watch::Watch;

const SCRIPT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/lab/machines");

/// Why no whole machines can run here, if so. Where they can, the image that they boot from is there afterwards: making
/// it takes about a minute, and says so.
pub fn hindrance() -> Option<String> {
    static HINDRANCE: OnceLock<Option<String>> = OnceLock::new();
    HINDRANCE
        .get_or_init(|| {
            check(&[]).or_else(|| {
                let image = script(SCRIPT, ["base"]).stdout(Stdio::null()).status().expect("bash starts");
                (!image.success()).then(|| "the image that whole machines boot from could not be made".to_owned())
            })
        })
        .clone()
}

thread_local! {
    static RELEASE: Cell<Option<&'static str>> = const { Cell::new(None) };
}

/// Runs a test whose machines have this release of Debian, if one is given.
pub fn on_release(release: Option<&'static str>, test: fn()) {
    RELEASE.set(release);
    test();
}

/// Why machines of this other release cannot run here, if so. As for [`hindrance`], the image is there afterwards.
pub fn hindrance_of_release(release: &'static str) -> Option<String> {
    static IMAGES: Mutex<BTreeMap<&str, Option<String>>> = Mutex::new(BTreeMap::new());
    let image = || {
        let mut base = script(SCRIPT, ["base"]);
        let made = base.env("TOPO_LAB_RELEASE", release).stdout(Stdio::null()).status().expect("bash starts");
        (!made.success()).then(|| format!("the image of {release} could not be made"))
    };
    IMAGES.lock().expect("nobody panics here").entry(release).or_insert_with(image).clone()
}

/// Why this kernel has no such shape, if so.
pub fn shape_hindrance(shape: &str) -> Option<String> {
    if shape.is_empty() { None } else { check(&[shape]) }
}

fn check(shape: &[&str]) -> Option<String> {
    let check = script(SCRIPT, ["check"].iter().chain(shape)).output().expect("bash starts");
    (!check.status.success()).then(|| format!("these machines cannot run here: {}", text(&check.stdout).trim_end()))
}

/// Debian machines with systemd, networkd, netplan and sshd on one link, and an operator. All that a [`Lab`] can do, they can
/// too, except to add, remove, reinstall and break nodes. Dropping it takes it down.
#[derive(Debug)]
pub struct Machines(Lab);

impl Machines {
    /// Boots them. Lines of [`LabOptions::nodes`] may end with `--shape SHAPE`.
    pub fn up(options: LabOptions) -> Self {
        Self(Lab::raise(SCRIPT, LabOptions { release: RELEASE.get(), ..options }))
    }

    /// Ends their DHCP server. For the shape `leased`.
    pub fn end_leases(&self) {
        self.0.verb("leases", &["off"]);
    }

    /// Lets their DHCP server name another gateway from now on. For the shape `leased`.
    pub fn lease_with_gateway(&self, gateway: &str) {
        self.0.verb("leases", &[gateway]);
    }

    /// One of them.
    pub fn node<'a>(&'a self, name: &'a str) -> Machine<'a> {
        Machine(self.0.node(name))
    }

    /// Watches all of them: are they always reached?
    pub fn watch(&self) -> Watch {
        Watch::start(&self.0, self.0.nodes())
    }

    /// Watches some of them.
    pub fn watch_only(&self, nodes: &[&str]) -> Watch {
        Watch::start(&self.0, nodes.iter().map(|&name| name.to_owned()).collect())
    }
}

impl Deref for Machines {
    type Target = Lab;

    fn deref(&self) -> &Lab {
        &self.0
    }
}

/// A whole machine. Its reboot is that of a machine whose power was cut: files stay.
#[derive(Clone, Copy, Debug)]
pub struct Machine<'a>(Node<'a>);

impl<'a> Deref for Machine<'a> {
    type Target = Node<'a>;

    fn deref(&self) -> &Node<'a> {
        &self.0
    }
}

impl Machine<'_> {
    /// Restarts systemd-networkd, and waits until the network is as configured.
    pub fn restart_networkd(self) {
        self.0.verb_with("restart-networkd", &[]);
    }

    /// Cuts its cable at the switch.
    pub fn cut_carrier(self) {
        self.0.verb_with("carrier", &["off"]);
    }

    /// Mends its cable, and waits until the network is as configured.
    pub fn mend_carrier(self) {
        self.0.verb_with("carrier", &["on"]);
    }

    /// Cuts its cable for a while.
    pub fn lose_carrier(self, span: Duration) {
        self.cut_carrier();
        std::thread::sleep(span);
        self.mend_carrier();
    }
}
