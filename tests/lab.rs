//! Tests on real hosts: network namespaces on this machine, each with its own sshd, or whole machines with systemd, networkd
//! and netplan in namespaces. They need root and a few Debian packages; where they cannot run they are reported as ignored, with the reason. A binary of its own, because libtest
//! cannot ignore a test when it runs.
#![allow(unreachable_pub, reason = "a binary has no outside")]
#![allow(dead_code, reason = "the harness offers more than the cases of the day need")]

mod events;
mod harness;
mod lab_cases;

fn main() -> std::process::ExitCode {
    harness::run(&lab_cases::all(), &lab_cases::on_machines())
}
