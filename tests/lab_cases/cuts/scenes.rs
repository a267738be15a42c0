//! What is cut: the forms of what topo writes, the operations, and the machines for them.

use std::fmt::Write as _;

/// The machines that are worked on at the same time, each with a topology and a state of its own. The network of one is leased.
pub(super) const NODES: &str = "node-0 10.240.0.20 10.200.0.0/24\n\
    node-1 10.240.0.21 10.200.1.0/24 --shape leased\n\
    node-2 10.240.0.22 10.200.2.0/24\n";

/// What others have on a machine, in files.
pub(super) const FILES_OF_OTHERS: &str = r"
umask 077
echo 'network: {version: 2, ethernets: {eth0: {accept-ra: false, routing-policy: [{from: 10.203.0.0/24, table: 101}]}}}' >/etc/netplan/70-rules.yaml
umask 022
mkdir -p /etc/systemd/network/10-netplan-eth0.network.d
printf '[Network]\nLLDP=no\n' >/etc/systemd/network/10-netplan-eth0.network.d/10-other.conf
rm -f /etc/sysctl.d/90-forwarding.conf
printf 'vm.swappiness = 10\n' >/etc/sysctl.d/10-other.conf
netplan generate
";

/// What others have on a machine until it boots again.
pub(super) const THINGS_OF_OTHERS: &str = "
sysctl -q -w net.ipv6.conf.all.forwarding=0 net.ipv4.ip_forward=0 net.ipv4.conf.all.rp_filter=0 net.ipv4.conf.default.rp_filter=0 net.ipv4.conf.eth0.rp_filter=0
ip address add 10.240.0.7$number/32 dev eth0
ip route add 10.201.0.0/24 via 10.240.0.1 proto 80 onlink dev eth0
ip route add 10.201.1.0/24 via 10.240.0.1 proto static metric 7
ip route add blackhole 10.201.2.0/24 proto 80
ip route add 10.201.3.0/24 via 10.240.0.1 mtu 1400 proto boot
ip route add 10.201.4.0/24 via 10.240.0.1 table 100
ip -6 route add fd01:1::/64 dev eth0 proto 80
ip nexthop add id 7 via 10.240.0.1 dev eth0 proto 80
ip route add 10.201.7.0/24 nhid 7 proto 80
ip neighbour add 10.240.0.99 lladdr 02:00:00:00:00:99 dev eth0 nud permanent
ip rule add from 10.201.0.0/16 lookup 100 pref 500
ip rule add to 10.201.9.0/24 lookup 100
";

/// All on a machine that a run may change.
pub(super) const SNAPSHOT: &str = r#"
{ ip -o -d -N -4 route show table all; ip -o -d -N -6 route show table all; } | sed -e 's/ expires [0-9]*sec//' -e 's/ *$//' | sort
ip rule show; ip -6 rule show; ip neighbour show nud permanent; ip nexthop show
ip -o address show | sed -e 's/_lft [0-9]*sec/_lft TIME/g' | sort
find /etc/topo /run/topo* /etc/sysctl.d /etc/systemd/network /etc/netplan /run/systemd/network /run/systemd/networkd.conf.d 2>/dev/null | sort | while read -r path; do
  stat -c '%n %a %U %F' "$path"
  [ ! -f "$path" ] || sed -e 's/lineage [0-9a-f-]*/lineage L/' -e 's/^serial .*/serial N/' -e 's/^/  |/' "$path"
done
sysctl net.ipv4.ip_forward net.ipv4.conf.all.rp_filter net.ipv4.conf.default.rp_filter net.ipv4.conf.eth0.rp_filter
"#;

/// What is of others there.
pub(super) const OTHERS: &str = r#"
{ ip -o -d -N -4 route show table all; ip -o -d -N -6 route show table all; } | grep -v ' 10\.200\.1[0-9][0-9]\.' | sed -e 's/ expires [0-9]*sec//' -e 's/ *$//' | sort
ip rule show; ip -6 rule show; ip neighbour show nud permanent; ip nexthop show
ip -o address show | sed -e 's/_lft [0-9]*sec/_lft TIME/g' | sort
find /etc/sysctl.d /etc/systemd/network /etc/netplan -type f ! -name '*60-topo*' | sort | while read -r path; do
  stat -c '%n %a %U' "$path"; cat "$path"
done
"#;

/// The routes that topo's files keep, and the other rows for these destinations, which are in the kernel.
pub(super) const KEPT: &str = r#"
for file in /etc/netplan/60-topo.yaml /etc/systemd/network/*.d/60-topo.conf; do
  [ ! -f "$file" ] || sed -n -e 's/.*to: "\([^"]*\)", via: "\([^"]*\)".*/\1 via \2/p' -e '/^Destination=/{s///;N;s/\nGateway=/ via /;p;}' "$file"
done | sort"#;
pub(super) const LIVE: &str = "ip -o -N route show root 10.200.96.0/19 | sed 's/ dev .*//' | sort";

/// The lines of `before` that are not in `now`, without what a restart of systemd-networkd takes, and only the next run can put back.
pub(super) fn lost(before: &str, now: &str) -> String {
    let waits = ["10.240.0.99 ", "id 7 ", "nhid 7 "];
    let mut left: Vec<&str> = now.lines().collect();
    let mut lost = String::new();
    for line in before.lines().filter(|line| !waits.iter().any(|word| line.contains(word))) {
        match left.iter().position(|other| *other == line) {
            Some(at) => _ = left.swap_remove(at),
            None => _ = writeln!(lost, "  -{line}"),
        }
    }
    lost
}

/// What is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Form {
    Routes,
    DropIn,
    Netplan,
    NetplanAlone,
    Settings,
}

impl Form {
    const ALL: [Self; 5] = [Self::Routes, Self::DropIn, Self::Netplan, Self::NetplanAlone, Self::Settings];

    fn name(self) -> &'static str {
        match self {
            Self::Routes => "routes",
            Self::DropIn => "routes, drop-in",
            Self::Netplan => "routes, netplan file",
            Self::NetplanAlone => "netplan file alone",
            Self::Settings => "routes, settings",
        }
    }

    fn backends(self, changed: bool) -> &'static str {
        match self {
            Self::Routes => "[backends.ssh-static]\n",
            Self::DropIn => "[backends.ssh-static]\n[backends.netplan]\npersist = \"networkd\"\n",
            Self::Netplan => "[backends.ssh-static]\n[backends.netplan]\n",
            Self::NetplanAlone => "[backends.netplan]\n",
            Self::Settings if changed => {
                "[backends.ssh-static]\n[backends.sysctl]\nip_forward = true\nrp_filter = \"loose\"\n"
            }
            Self::Settings => "[backends.ssh-static]\n[backends.sysctl]\nip_forward = true\n",
        }
    }
}

/// What a run does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Operation {
    First,
    Change,
    Remove,
}

/// What is cut: a row of the matrix.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Scene {
    pub(super) form: Form,
    pub(super) operation: Operation,
}

impl Scene {
    pub(super) fn all() -> Vec<Self> {
        let operations = [Operation::First, Operation::Change, Operation::Remove];
        Form::ALL.iter().flat_map(|&form| operations.map(|operation| Self { form, operation })).collect()
    }

    pub(super) fn name(self) -> String {
        format!("{}: {}", self.form.name(), format!("{:?}", self.operation).to_lowercase())
    }

    /// The topology of a machine before the run.
    pub(super) fn before(self, node: usize) -> Option<String> {
        (self.operation != Operation::First)
            .then(|| topology(node, self.form.backends(false), ["101", "104", "102", "105"]))
    }

    /// That of the run; none: it destroys.
    pub(super) fn wanted(self, node: usize) -> Option<String> {
        match self.operation {
            Operation::First => Some(topology(node, self.form.backends(false), ["101", "104", "102", "105"])),
            // Two next hops change, one route comes, and one goes.
            Operation::Change => Some(topology(node, self.form.backends(true), ["102", "104", "101", "103"])),
            Operation::Remove => None,
        }
    }
}

/// A machine, and two routers with these pods.
fn topology(node: usize, backends: &str, pods: [&str; 4]) -> String {
    let [a, b, c, d] = pods.map(|pods| format!("\"10.200.{pods}.0/24\""));
    format!(
        "[topology]\nname = \"kthw\"\n[ssh]\nuser = \"root\"\n{backends}[nodes]\n\
         node-{node} = {{ address = \"10.240.0.2{node}\", pods = [\"10.200.{node}.0/24\"] }}\n\
         one = {{ address = \"10.240.0.31\", pods = [{a}, {b}], managed = false }}\n\
         two = {{ address = \"10.240.0.32\", pods = [{c}, {d}], managed = false }}\n"
    )
}
