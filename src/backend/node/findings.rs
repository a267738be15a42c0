//! What is found on nodes, in sentences.

use std::net::IpAddr;
use std::sync::Arc;

use crate::backend::ssh_static::KERNEL_ROUTE;
use crate::exchange::node::LiveRoute;
use crate::network::Prefix;
use crate::plan::findings::{Address, Finding, REPLACED, Remedy, Scope, Severity, Text};
use crate::plan::{ForeignKey, TableFindings};
use crate::resource::{Name, Place, ResourceId};

/// The codes of findings on nodes.
pub const CODES: &[&str] = &[
    "captures",
    "deferred",
    "in_azure",
    "lineage_lost",
    "lost",
    "name_taken",
    "not_on_link",
    "other_lineage",
    "own_pods",
    "protocol_taken",
    "provided",
    "renamed",
    "same_machine",
    "stray",
    "wins",
];

impl TableFindings {
    /// All of them, as findings about a place.
    pub(super) fn into_findings(self, place: &Place, id: &ResourceId) -> Vec<Finding> {
        let kind = &*id.kind;
        let mut all = Vec::new();
        all.extend(self.conflicts.iter().map(|(key, foreign)| conflict(place, kind, key, foreign)));
        all.extend(self.blocked_keys.iter().map(|(key, found)| blocked(place, kind, key, found)));
        all.extend(self.provided.iter().map(|(key, found)| provided(place, kind, key, found)));
        all.extend(self.lost.iter().map(|(key, found)| lost(place, kind, key, found)));
        all.extend(self.wins.iter().map(|(key, found)| wins(place, kind, key, found)));
        all.extend(self.deferred.iter().map(|(key, found)| deferred(place, kind, key, found)));
        all.extend(self.led_away.iter().map(|(row, can_be_taken)| led_away(place, kind, row, *can_be_taken)));
        all.extend(self.partly_led_away.iter().map(|(pods, row)| partly_led_away(place, kind, pods, row)));
        all.extend(self.stray.iter().map(|row| stray(place, kind, row)));
        all
    }
}

fn conflict(place: &Place, kind: &str, key: &Prefix, foreign: &ForeignKey) -> Finding {
    let ForeignKey { found, can_be_taken, .. } = foreign;
    let text = Text::around("On ", format!(", the route to {key} belongs to somebody else: {found}."));
    let address = Address::of_key(place, kind, key.to_string());
    let finding = Finding::conflict(address, text, found.clone()).remedy(Remedy::SKIP);
    if *can_be_taken {
        finding.remedy(Remedy::TakeOver)
    } else {
        // A link is behind the route, or topo could not put the route back as it was.
        finding.act("Or remove the route there; topo cannot take over a route of this sort.")
    }
}

/// `ip route change` may hit the wrong one of two rows with one key.
fn blocked(place: &Place, kind: &str, key: &Prefix, found: &str) -> Finding {
    let text = format!(
        ", somebody else has a second route to {key} beside topo's: {found}. topo cannot change its own route while both are there."
    );
    Finding::conflict(Address::of_key(place, kind, key.to_string()), Text::around("On ", text), found)
        .remedy(Remedy::SKIP)
        .act("Or remove the other route there.")
}

fn provided(place: &Place, kind: &str, key: &Prefix, found: &str) -> Finding {
    let text = format!(", somebody else already provides the route to {key} ({found}). topo leaves it alone.");
    Finding::note("provided", place, Text::around("On ", text))
        .at(kind, key.to_string())
        .found(found)
        .remedy(Remedy::TakeOver)
}

fn lost(place: &Place, kind: &str, key: &Prefix, found: &str) -> Finding {
    let text = format!(
        ", the route to {key} now belongs to somebody else ({found}). The topology does not want it any more, so topo drops only \
         its record."
    );
    Finding::note("lost", place, Text::around("On ", text)).at(kind, key.to_string()).found(found)
}

fn wins(place: &Place, kind: &str, key: &Prefix, found: &str) -> Finding {
    let text = format!(", another route takes precedence over the route to {key}: {found}.");
    Finding::warning("wins", place, Text::around("On ", text))
        .at(kind, key.to_string())
        .found(found)
        .act("Remove the other route, or take the destination out of the topology.")
}

fn deferred(place: &Place, kind: &str, key: &Prefix, found: &str) -> Finding {
    let text = format!(", topo cannot write the route to {key} yet: the node itself still has that subnet ({found}).");
    Finding::warning("deferred", place, Text::around("On ", text))
        .at(kind, key.to_string())
        .found(found)
        .act("Remove the subnet from the node, then run topo apply again.")
        .leaving_out(1, format!("{key} is still the node's own subnet."))
}

/// The command that removes exactly this row.
fn removal(row: &LiveRoute) -> String {
    let next_hop = row.next_hop.map(|next_hop| format!(" via {next_hop}")).unwrap_or_default();
    let metric = if row.metric == 0 { String::new() } else { format!(" metric {}", row.metric) };
    format!("`ip route del {}{next_hop} proto {}{metric}`", row.destination, row.protocol)
}

/// A route to the node's own pods wins over their bridge.
fn led_away(place: &Place, kind: &str, row: &LiveRoute, can_be_taken: bool) -> Finding {
    let (key, found) = (row.destination, row.describe());
    let text =
        format!(", a route leads the node's own pod subnet {key} away: {found}. Packets to these pods get lost.");
    let address = Address::of_key(place, kind, key.to_string());
    let option = format!("--take-over '{address}'");
    let finding = Finding::new(Severity::Conflict, "own_pods", address, Text::around("On ", text)).found(found);
    let finding = if can_be_taken { finding.remedy(Remedy::Flag(option.into(), "remove it")) } else { finding };
    finding.act(format!("To remove it by hand, run {} there.", removal(row))).remedy(Remedy::SKIP)
}

fn partly_led_away(place: &Place, kind: &str, pods: &Prefix, row: &LiveRoute) -> Finding {
    let (key, found) = (row.destination, row.describe());
    let text = format!(", a route to {key} leads a part of the node's own pod subnet {pods} away: {found}.");
    Finding::warning("own_pods", place, Text::around("On ", text))
        .at(kind, key.to_string())
        .found(found)
        .act(format!("If nobody needs it, run {} there.", removal(row)))
}

fn stray(place: &Place, kind: &str, row: &LiveRoute) -> Finding {
    let (key, found) = (row.destination, row.describe());
    let text = format!(
        ", a route to {key} carries topo's mark, but topo neither recorded it nor wants it ({found}). topo leaves it alone."
    );
    Finding::warning("stray", place, Text::around("On ", text))
        .at(kind, key.to_string())
        .found(found)
        .act(format!("If nobody needs it, remove it there: `ip route del {key}`."))
}

pub(super) fn same_machine(one: &Place, other: &Place) -> Finding {
    let text = format!(" and {} have the same /etc/machine-id, so topo takes them for one machine.", one.name());
    Finding::error("same_machine", other, Text::around("", text))
        .edit("If they are one machine, take one of them out of the topology.")
        .act("If one is a clone of the other, run `rm -f /etc/machine-id /var/lib/dbus/machine-id && systemd-machine-id-setup` on the clone, and reboot it.")
}

pub(super) fn renamed(from: &Place, to: &Place) -> Finding {
    let text = format!(" is the machine that was called {} before; its record moves to the new name.", from.name());
    Finding::note("renamed", to, Text::around("", text))
}

pub(super) fn replaced(place: &Place) -> Finding {
    let text = ", not the recorded one. topo plans it from nothing and drops the record of the other machine. If that one still \
                runs, its routes and its marker in /etc/topo stay there.";
    Finding::warning(REPLACED, place, Text::around("Another machine answers as ", text))
        .edit("To keep the other machine or to clean it up, give it a name of its own in the topology.")
}

pub(super) fn name_taken(place: &Place, source: &Place) -> Finding {
    let text = format!(
        " is now the name of the machine that is recorded as {}. The machine that is recorded as {} does not answer, so its \
         record would be lost.",
        source.name(),
        place.name()
    );
    Finding::error("name_taken", place, Text::around("", text))
        .scope(Scope::All)
        .act("Bring that machine back under its new name first.")
        .remedy(Remedy::Flag(format!("--forget {}", place.name()).into(), "drop its record"))
}

pub(super) fn other_lineage(place: &Place, lineage: &str) -> Finding {
    let text = format!(" has another lineage ({lineage}): it was written with another state than this one.");
    Finding::warning("other_lineage", place, Text::around("The marker of this topology on ", text)).found(lineage)
}

pub(super) fn lineage_lost(place: &Place) -> Finding {
    let text = " says that this topology was applied with another state.";
    Finding::error("lineage_lost", place, Text::around("The marker on ", text))
        .act("Use that state with --state.")
        .act("If that state is lost, --new-lineage records what is there and wanted, and goes on.")
}

pub(super) fn protocol_taken(place: &Place, topology: &str, protocol: u8) -> Finding {
    let free = if protocol == 202 { 203 } else { 202 };
    let text = format!(
        ", the topology {topology} marks its routes with the protocol number {protocol}, too. Neither topology could tell which \
         routes are its own."
    );
    Finding::error("protocol_taken", place, Text::around("On ", text))
        .edit(format!("Set protocol = {free} in [backends.ssh-static]."))
}

pub(super) fn captures(place: &Place, destination: Prefix, address: IpAddr, what: &str) -> Finding {
    let text = format!(", a route to {destination} would capture {address}, {what}. That could cut the node off.");
    Finding::error("captures", place, Text::around("On ", text))
        .found(address.to_string())
        .edit("Take that pod subnet out of the topology, or give the pods another one.")
}

pub(super) fn not_on_link(place: &Place, next_hop: IpAddr, found: &str) -> Finding {
    let text = format!(", the next hop {next_hop} is not on the link: {found}.");
    Finding::error("not_on_link", place, Text::around("On ", text)).found(found).edit(
        "Declare the networks of the nodes in [subnets], with a gateway where one leads to the others, or correct the address.",
    )
}

pub(super) fn in_azure(place: &Place, backends: &[Name], destinations: Arc<[Prefix]>) -> Finding {
    let backends: Vec<&str> = backends.iter().map(Name::as_str).collect();
    let text = format!(
        " by its own route tables, so a route on the machine does not choose the next hop. No [backends.azure-udr] with `subnets` \
         puts {} into a route table, so packets to it would be lost.",
        some_prefixes(&destinations)
    );
    Finding::error("in_azure", place, Text::around("Azure forwards the packets of ", text))
        .scope(Scope::Keys(KERNEL_ROUTE.id, destinations))
        .edit(format!(
            "Add a backend that does, or take {} off the machines in Azure with `nodes = […]`.",
            backends.join(" and ")
        ))
}

/// Names a few prefixes. If there are more, it names the first ones and counts the others.
fn some_prefixes(all: &[Prefix]) -> String {
    const LISTED: usize = 3;
    let (listed, more) = all.split_at(all.len().min(LISTED));
    let listed: Vec<String> = listed.iter().map(Prefix::to_string).collect();
    let listed = listed.join(", ");
    match more.len() {
        0 => listed,
        1 => format!("{listed} and 1 other destination"),
        more => format!("{listed} and {more} other destinations"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::backend::node::fixture::{live, place, prefix};
    use crate::plan::Plan;
    use crate::render::sentence::{Sentence, all};

    #[test]
    fn each_finding_says_what_happened_where_and_what_to_do() {
        let (one, two) = (place("node-1"), place("node-2"));
        let (key, kind, found) = (prefix("10.200.1.0/24"), "kernel_route", "via 10.0.0.9 dev eth0, protocol 4, static");
        let foreign = |can_be_taken| ForeignKey { found: found.to_owned(), protocol: 4, can_be_taken };
        let backends = [Name::new("netplan").expect("name"), Name::new("ssh-static").expect("name")];
        let findings = vec![
            conflict(&one, kind, &key, &foreign(true)),
            conflict(&one, kind, &key, &foreign(false)),
            blocked(&one, kind, &key, found),
            provided(&one, kind, &key, found),
            lost(&one, kind, &key, found),
            wins(&one, kind, &key, found),
            deferred(&one, kind, &key, found),
            led_away(&one, kind, &live("10.200.1.0/24", "10.0.0.9", 3), true),
            led_away(&one, kind, &live("10.200.1.0/24", "10.0.0.9", 3), false),
            partly_led_away(&one, kind, &key, &live("10.200.1.128/25", "10.0.0.9", 3)),
            same_machine(&one, &two),
            renamed(&one, &two),
            replaced(&one),
            name_taken(&one, &two),
            other_lineage(&one, "abc"),
            lineage_lost(&one),
            protocol_taken(&one, "other", 202),
            captures(&one, key, "10.200.1.5".parse().expect("address"), "a DNS server in use"),
            not_on_link(&one, "10.0.0.9".parse().expect("address"), "via 10.0.0.1 dev eth0"),
            in_azure(&one, &backends, Arc::from([key; 5])),
        ];
        let plan = Plan { findings, ..Plan::default() };
        let texts: Vec<String> = all(&plan).iter().map(Sentence::text).collect();
        insta::assert_snapshot!(texts.join("\n"));
    }
}
