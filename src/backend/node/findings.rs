//! What is found on nodes, in sentences.

use std::net::IpAddr;
use std::sync::Arc;

use super::machines::Why;
use super::words::listed;
use crate::backend::ssh_static::KERNEL_ROUTE;
use crate::exchange::node::LiveRoute;
use crate::network::Prefix;
use crate::plan::findings::{Address, Finding, REPLACED, Remedy, Scope, Severity, Text};
use crate::plan::{ForeignKey, TableFindings};
use crate::resource::{Name, Place, ResourceId};

/// The codes of findings on nodes.
pub const CODES: &[&str] = &[
    "address",
    "captures",
    "deferred",
    "in_azure",
    "kept_by_file",
    "lineage_lost",
    "lost",
    "name_taken",
    "new_machine_id",
    "no_device",
    "not_on_link",
    "not_root",
    "other_lineage",
    "other_machine",
    "own_pods",
    "part_of_subnet",
    "protocol_taken",
    "provided",
    "renamed",
    "rule",
    "rule_unknown",
    "same_machine",
    "stray",
    "tunnel",
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
        all.extend(self.beside.iter().map(|(key, found)| beside(place, kind, key, found)));
        all.extend(self.deferred.iter().map(|(key, found)| deferred(place, kind, key, found)));
        all.extend(self.led_away.iter().map(|(row, can_be_taken)| led_away(place, kind, row, *can_be_taken)));
        all.extend(self.partly_led_away.iter().map(|(pods, row)| partly_led_away(place, kind, pods, row)));
        all.extend(self.cut_off.iter().map(|network| cut_off(place, kind, network)));
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

fn beside(place: &Place, kind: &str, key: &Prefix, found: &str) -> Finding {
    let text =
        format!(", somebody else has a second route to {key} beside topo's, which may take precedence: {found}.");
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

fn cut_off(place: &Place, kind: &str, network: &Prefix) -> Finding {
    let text = format!(
        ", no route leads to the node's own pods {network}, although the node has an address there. Somebody has removed or replaced \
         the route of their bridge. Packets to these pods get lost."
    );
    Finding::warning("own_pods", place, Text::around("On ", text)).at(kind, network.to_string()).act(format!(
        "Run `ip route add {network} dev DEVICE` there, with the device that has the address (`ip -br address`)."
    ))
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

/// The commands that give a clone a machine-id of its own. `systemd-machine-id-setup` keeps an id that is there.
const NEW_MACHINE_ID: &str = "rm -f /etc/machine-id /var/lib/dbus/machine-id && systemd-machine-id-setup";

/// Several machines have one id; or they are one machine, since they have the same addresses.
pub(super) fn same_id(place: &Place, id: &str, is_one: bool) -> Finding {
    if is_one {
        let text = format!(" are names of one machine: the machine-id is {id} and the addresses are the same.");
        return Finding::error("same_machine", place, Text::around("", text))
            .scope(Scope::All)
            .edit("Leave one of them in the topology, or correct the address of the other.");
    }
    Finding::error("same_machine", place, Text::around("", format!(" have the same machine-id {id}, as clones do.")))
        .scope(Scope::All)
        .act(format!("On all but one of them, run `{NEW_MACHINE_ID}` and reboot."))
        .act("A machine that gets its address by DHCP may get another one then.")
}

/// The marker says that it is the recorded machine.
pub(super) fn new_id(place: &Place) -> Finding {
    let text = " has a new machine-id. Its marker says that it is the recorded machine.";
    Finding::note("new_machine_id", place, Text::around("", text))
}

/// The machine of another node, or a clone of it, answers.
pub(super) fn of_another(place: &Place, source: &Place, why: Why<'_>, topology: &Name) -> Finding {
    let name = source.name();
    let why = match why {
        Why::InTopology => format!("{name} is still in the topology"),
        Why::AddressOf(address, owner) => format!("its address {address} belongs to {} now", owner.name()),
    };
    let text = format!(" is {name} or a clone of {name}, and {why}.");
    Finding::error("other_machine", place, Text::around("The machine that answers as ", text))
        .scope(Scope::All)
        .found(name)
        .edit("If that is the wrong machine, correct the address or `ssh.host`.")
        .edit("If the machine has a new name, use a name and addresses that no other node has, and take out the old name.")
        .act(format!(
            "If it is a clone, run `{}` there and reboot.", NEW_MACHINE_ID.replacen("rm -f", &format!("rm -f /etc/topo/{topology}"), 1)
        ))
}

/// A node does not have an address that the topology says it has.
pub(super) fn wrong_address(
    place: &Place,
    wrong: IpAddr,
    owner: Option<&str>,
    has: &[IpAddr],
    is_translated: bool,
) -> Finding {
    let has: Vec<String> = has.iter().map(ToString::to_string).collect();
    let owner = owner.map(|owner| format!(" {owner} has that address.")).unwrap_or_default();
    let text = format!(" does not have the address {wrong}. It has {}.{owner}", listed(&has));
    let text = Text::around("", text);
    if is_translated {
        return Finding::warning("address", place, text)
            .found(has.join(", "))
            .act("The topology says `nat = true`: another machine has to translate the address.");
    }
    // Other nodes have routes to it.
    Finding::error("address", place, text)
        .scope(Scope::All)
        .found(has.join(", "))
        .edit("Correct the address; `ssh.host` can be another one. If another machine translates the address, set nat = true.")
}

/// Routes lead a part of a subnet away that the node is connected to.
pub(super) fn takes_a_part(place: &Place, kind: &str, network: Prefix, first: Prefix, count: usize) -> Finding {
    let routes = match count {
        1 => format!("the route to {first} leads"),
        _ => format!("{count} routes, the first to {first}, lead"),
    };
    let text = format!(
        ", {routes} a part of the node's own subnet {network} away. The node no longer reaches machines there."
    );
    Finding::warning("part_of_subnet", place, Text::around("On ", text))
        .at(kind, first.to_string())
        .found(network.to_string())
        .edit("Give the pods another subnet, or leave the node out with `nodes` in the backend's table.")
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

pub(super) fn lineage_lost(place: &Place, destroy: bool) -> Finding {
    let text = " says that this topology was applied with another state.";
    let if_lost = if destroy {
        "If that state is lost, run `topo apply --new-lineage` first: it records what is there and wanted."
    } else {
        "If that state is lost, --new-lineage records what is there and wanted, and goes on."
    };
    Finding::error("lineage_lost", place, Text::around("The marker on ", text))
        .act("Use that state with --state.")
        .act(if_lost)
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

/// topo logs in as a user who cannot change anything.
pub(super) fn not_root(place: &Place) -> Finding {
    let text = ", topo logs in as a user who is not root. Only root can change routes and files there.";
    Finding::error("not_root", place, Text::around("On ", text.to_owned()))
        .edit("Log in as root, or set sudo = true under [ssh].")
}

/// A gateway that should be on-link, and of which nobody knows the device.
pub(super) fn no_device(place: &Place, gateway: IpAddr) -> Finding {
    let text = format!(", the kernel knows no device that leads to the gateway {gateway}.");
    Finding::error("no_device", place, Text::around("On ", text))
        .edit("Set the device with `interface` in the node's entry, or correct the gateway.")
}

/// What to do about next hops that are not on the link.
const DECLARE_LINKS: &str = "Declare the networks of the nodes in [subnets], with a gateway where one leads to the others (and on_link = true where the nodes have addresses of 32 bits), or correct the address.";

/// Next hops that are not on the link, and the way to the first of them.
pub(super) fn not_on_link(place: &Place, next_hops: &[IpAddr], way: &str) -> Finding {
    let text = match next_hops {
        [only] => format!(", the next hop {only} is not on the link: the kernel {way}."),
        all => {
            let all: Vec<String> = all.iter().map(ToString::to_string).collect();
            format!(
                ", {} next hops are not on the link: {}. The kernel {way} for the first one.",
                all.len(),
                listed(&all)
            )
        }
    };
    Finding::error("not_on_link", place, Text::around("On ", text)).found(way).edit(DECLARE_LINKS)
}

/// The same of many nodes, each with other next hops.
pub(super) fn not_on_links(place: &Place, pairs: usize, (node, next_hop, way): (&Place, IpAddr, &str)) -> Finding {
    let text = format!(
        ", next hops are not on the link: {pairs} pairs of a node and a next hop. For example, the kernel of {} {way} for {next_hop}.",
        node.name()
    );
    Finding::error("not_on_link", place, Text::around("On ", text)).found(way).edit(DECLARE_LINKS)
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
        let address: IpAddr = "10.240.0.21".parse().expect("address");
        let backends = [Name::new("netplan").expect("name"), Name::new("ssh-static").expect("name")];
        let findings = vec![
            conflict(&one, kind, &key, &foreign(true)),
            conflict(&one, kind, &key, &foreign(false)),
            blocked(&one, kind, &key, found),
            provided(&one, kind, &key, found),
            lost(&one, kind, &key, found),
            wins(&one, kind, &key, found),
            beside(&one, kind, &key, found),
            deferred(&one, kind, &key, found),
            led_away(&one, kind, &live("10.200.1.0/24", "10.0.0.9", 3), true),
            led_away(&one, kind, &live("10.200.1.0/24", "10.0.0.9", 3), false),
            partly_led_away(&one, kind, &key, &live("10.200.1.128/25", "10.0.0.9", 3)),
            cut_off(&one, kind, &key),
            same_id(&one, "ab", false),
            same_id(&one, "ab", true),
            new_id(&one),
            of_another(&one, &two, Why::InTopology, &backends[0]),
            of_another(&one, &two, Why::AddressOf(address, &two), &backends[0]),
            wrong_address(&one, address, None, &[address], false),
            wrong_address(&one, address, Some("node-2"), &[address; 5], false),
            wrong_address(&one, address, None, &[address; 2], true),
            renamed(&one, &two),
            replaced(&one),
            name_taken(&one, &two),
            other_lineage(&one, "abc"),
            lineage_lost(&one, false),
            lineage_lost(&one, true),
            protocol_taken(&one, "other", 202),
            takes_a_part(&one, kind, prefix("10.200.0.0/16"), key, 1),
            takes_a_part(&one, kind, prefix("10.200.0.0/16"), key, 12),
            captures(&one, key, "10.200.1.5".parse().expect("address"), "a DNS server in use"),
            not_on_link(&one, &[address], "uses 10.0.0.1 on eth0"),
            not_on_link(&two, &[address; 12], "says `Network is unreachable`"),
            not_on_links(&two, 9900, (&one, address, "uses 10.0.0.1 on eth0")),
            no_device(&one, address),
            not_root(&one),
            in_azure(&one, &backends, Arc::from([key; 5])),
        ];
        let plan = Plan { findings, ..Plan::default() };
        let texts: Vec<String> = all(&plan).iter().map(Sentence::text).collect();
        insta::assert_snapshot!(texts.join("\n"));
    }
}
