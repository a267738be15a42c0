//! What is found about kernel settings, in sentences.

use super::boot::Line;
use crate::backend::ResourceInput;
use crate::exchange::node::KernelKey;
use crate::plan::findings::{Address, Finding, Remedy, Text};

/// The codes of these findings.
pub(super) const CODES: &[&str] = &["provided", "no_setting", "advertised", "turned_off", "settings_stay", "lost"];

fn address(input: &ResourceInput<'_>) -> Address {
    Address::of_key(input.place, &input.id.kind, &*input.id.name)
}

/// A file of somebody else that wins over topo's.
pub(super) fn later(input: &ResourceInput<'_>, key: &KernelKey, value: &str, line: &Line) -> Finding {
    let found = format!("{} says `{}`", line.path, line.text);
    let text = format!(
        ", {} says `{}` and counts more than topo's file, so {key} would not be {value} after the next boot.",
        line.path, line.text
    );
    Finding::conflict(address(input), Text::around("On ", text), found)
        .act("Remove that line there.")
        .remedy(Remedy::SKIP)
}

/// A file of somebody else in the place of topo's.
pub(super) fn file_taken(input: &ResourceInput<'_>, found: &str) -> Finding {
    Finding::conflict(address(input), Text::around("On ", format!(", {found}.")), found)
        .remedy(Remedy::SKIP)
        .remedy(Remedy::TakeOver)
}

/// Settings that somebody else keeps as wanted.
pub(super) fn provided(input: &ResourceInput<'_>, settings: &[(KernelKey, Line)]) -> Finding {
    let all: Vec<String> = settings.iter().map(|(key, line)| format!("{key} ({})", line.path)).collect();
    let text = format!(", somebody else already sets {} as wanted. topo leaves that alone.", all.join(", "));
    Finding::note("provided", input.place, Text::around("On ", text))
        .at(&input.id.kind, &*input.id.name)
        .remedy(Remedy::TakeOver)
}

/// A setting that the kernel does not have.
pub(super) fn no_setting(input: &ResourceInput<'_>, key: &KernelKey) -> Finding {
    let text = format!(", the kernel has no setting {key}.");
    let finding = Finding::error("no_setting", input.place, Text::around("On ", text));
    let finding = finding.at(&input.id.kind, &*input.id.name);
    if *key == KernelKey::ipv6_forwarding() {
        finding
            .act("IPv6 is off there. Turn it on, or take the IPv6 addresses and pods of the node out of the topology.")
    } else {
        finding.edit("Take the node out of `nodes` in the backend's table.")
    }
}

/// Forwarding would take away what the node has by router advertisements.
pub(super) fn advertised(input: &ResourceInput<'_>, devices: &[&str]) -> Finding {
    let text = format!(
        ", the kernel takes addresses or the default route from router advertisements on {}. With IPv6 forwarding on, it ignores \
         them, and the node would lose these.",
        devices.join(", ")
    );
    let set: Vec<String> =
        devices.iter().map(|device| format!("net.ipv6.conf.{}.accept_ra=2", device.replace('.', "/"))).collect();
    Finding::error("advertised", input.place, Text::around("On ", text))
        .at(&input.id.kind, &*input.id.name)
        .found(devices.join(", "))
        .act(format!(
            "Run `sysctl -w {}` there, and put that into a file in /etc/sysctl.d; or give the node a static address and default \
             route.",
            set.join(" ")
        ))
}

/// Forwarding is off on devices although somebody else keeps it on for the node.
pub(super) fn turned_off(input: &ResourceInput<'_>, keys: &[KernelKey]) -> Finding {
    let all: Vec<String> = keys.iter().map(KernelKey::to_string).collect();
    let text = format!(
        ", somebody turned forwarding off on a device: {} is 0. The node drops packets of pods that come in there.",
        all.join(", ")
    );
    let set: Vec<String> = all.iter().map(|name| format!("{name}=1")).collect();
    Finding::warning("turned_off", input.place, Text::around("On ", text))
        .at(&input.id.kind, &*input.id.name)
        .found(all.join(", "))
        .act(format!("Run `sysctl -w {}` there.", set.join(" ")))
}

/// Live values stay as they are.
pub(super) fn stays(input: &ResourceInput<'_>, settings: &[String]) -> Finding {
    let text = format!(": {}. topo set that, and now removes only its file.", settings.join(", "));
    let finding = Finding::note("settings_stay", input.place, Text::around("Kernel settings stay on ", text));
    let finding = finding.at(&input.id.kind, &*input.id.name);
    finding.remedy(Remedy::Flag("--revert-forwarding".into(), "set them back"))
}

/// The file is somebody else's by now.
pub(super) fn lost(input: &ResourceInput<'_>, found: &str) -> Finding {
    let text = format!(", {found}. The topology does not want it any more, so topo drops only its record.");
    Finding::note("lost", input.place, Text::around("On ", text)).at(&input.id.kind, &*input.id.name).found(found)
}
