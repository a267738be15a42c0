//! The runs that are tried, and the machines for them.

/// A machine with routes and settings of others.
pub(super) const SETUP: &str = r"
mount -t tmpfs tmpfs /run
ip addr add 10.240.0.10/24 dev eth0
ip link set lo up
ip route add default via 10.240.0.1 proto static
ip route add 10.201.0.0/24 via 10.240.0.23 proto 80
ip route add 10.201.1.0/24 via 10.240.0.23 proto static
ip route add blackhole 10.201.2.0/24 proto 80
mkdir -p /etc/sysctl.d
printf 'vm.swappiness = 10\n' >/etc/sysctl.d/10-other.conf
echo 0 >/proc/sys/net/ipv4/ip_forward
for device in all default eth0; do echo 0 >/proc/sys/net/ipv4/conf/$device/rp_filter; done
";

pub(super) const FIRST: &str = r#"
[topology]
name = "kthw"
[nodes]
n0 = { address = "10.240.0.10", pods = ["10.200.0.0/24"] }
n1 = { address = "10.240.0.11", pods = ["10.200.1.0/24", "10.200.4.0/24"] }
n2 = { address = "10.240.0.12", pods = ["10.200.2.0/24", "10.200.5.0/24"] }
[backends.ssh-static]
[backends.sysctl]
nodes = ["n0"]
ip_forward = true
"#;

/// One route is added, two change, one goes; one setting is added.
const SECOND: &str = r#"
[topology]
name = "kthw"
[nodes]
n0 = { address = "10.240.0.10", pods = ["10.200.0.0/24"] }
n1 = { address = "10.240.0.11", pods = ["10.200.2.0/24", "10.200.4.0/24"] }
n2 = { address = "10.240.0.12", pods = ["10.200.1.0/24", "10.200.3.0/24"] }
[backends.ssh-static]
[backends.sysctl]
nodes = ["n0"]
ip_forward = true
rp_filter = "loose"
"#;

/// A machine with systemd-networkd, which does at a restart what the one of Debian 12 does with the routes of drop-ins and with
/// what others have: foreign rows and rules stay only if its settings say so, and permanent neighbours and next hop objects never.
pub(super) const NETWORKD: &str = r#"
mount -t tmpfs tmpfs /run
ip addr add 10.240.0.10/24 dev eth0
ip link set lo up
ip route add default via 10.240.0.1 proto static
ip route add 10.201.0.0/24 via 10.240.0.23 proto 80
ip route add blackhole 10.201.2.0/24 proto 80
ip addr add 10.240.0.70/24 dev eth0 metric 100 valid_lft 3600 preferred_lft 3600
ip neigh add 10.240.0.99 lladdr 02:00:00:00:00:99 dev eth0 nud permanent
ip nexthop add id 7 via 10.240.0.1 dev eth0
ip route add 10.201.7.0/24 nhid 7 proto 80
ip rule add from 10.201.0.0/16 lookup 100 pref 500
mkdir -p /etc/sysctl.d /etc/systemd/network /sys/class/net/eth0 /run/systemd/netif/links /run/systemd/units /run/systemd/network /run/fake
printf '[Match]\nName=eth0\n' >/etc/systemd/network/eth0.network
printf 'vm.swappiness = 10\n' >/etc/sysctl.d/10-other.conf
echo 3 >/sys/class/net/eth0/ifindex
printf 'ADMIN_STATE=configured\nNETWORK_FILE=/etc/systemd/network/eth0.network\n' >/run/systemd/netif/links/3
ln -s 00000000000000000000000000000001 /run/systemd/units/invocation:systemd-networkd.service
: >/run/fake/installed
stub systemctl 'PATH=/usr/sbin:/usr/bin:/sbin:/bin
case $* in
--version) echo "systemd 252 (252.39-1~deb12u1)"; exit 0 ;;
"is-active --quiet systemd-networkd" | "reset-failed systemd-networkd") exit 0 ;;
"restart systemd-networkd") ;;
*) exit 1 ;;
esac
{ cat /etc/systemd/network/eth0.network.d/*.conf 2>/dev/null; echo "[Route]"; } | while IFS= read -r line; do
  case $line in
    "[Route]") [ -z "$to" ] || echo "$to via $via proto ${protocol:-static} dev eth0"; to= via= protocol= ;;
    Destination=*) to=${line#*=} ;;
    Gateway=*) via=${line#*=} ;;
    Protocol=*) protocol=${line#*=} ;;
  esac
done >/run/fake/new
grep -v -x -F -f /run/fake/new /run/fake/installed | while read -r row; do ip route del $row 2>/dev/null; done
if ! grep -q -s -x KeepConfiguration=static /run/systemd/network/eth0.network.d/*.conf ||
  ! grep -q -s -x ManageForeignRoutes=no /run/systemd/networkd.conf.d/*.conf; then
  for protocol in 80 201; do ip -4 route flush proto $protocol dev eth0; done
  ip rule del pref 500
fi
ip neigh del 10.240.0.99 dev eth0
ip nexthop del id 7
ip addr del 10.240.0.70/24 dev eth0
ip addr add 10.240.0.70/24 dev eth0 metric 100 valid_lft 3600 preferred_lft 3600
while read -r row; do ip route append $row 2>/dev/null; done </run/fake/new
mv /run/fake/new /run/fake/installed
ln -s -f -n "$(printf %032d "1$(date +%s%N | tail -c 12)")" /run/systemd/units/invocation:systemd-networkd.service
sleep 0.02
touch /run/systemd/netif/links/3'
"#;

pub(super) const FILE_FIRST: &str = r#"
[topology]
name = "kthw"
[nodes]
n0 = { address = "10.240.0.10", pods = ["10.200.0.0/24"] }
n1 = { address = "10.240.0.11", pods = ["10.200.1.0/24", "10.200.4.0/24"] }
n2 = { address = "10.240.0.12", pods = ["10.200.2.0/24", "10.200.5.0/24"] }
[backends.ssh-static]
[backends.netplan]
nodes = ["n0"]
persist = "networkd"
"#;

const FILE_SECOND: &str = r#"
[topology]
name = "kthw"
[nodes]
n0 = { address = "10.240.0.10", pods = ["10.200.0.0/24"] }
n1 = { address = "10.240.0.11", pods = ["10.200.2.0/24", "10.200.4.0/24"] }
n2 = { address = "10.240.0.12", pods = ["10.200.1.0/24", "10.200.3.0/24"] }
[backends.ssh-static]
[backends.netplan]
nodes = ["n0"]
persist = "networkd"
"#;

/// What a run is for.
#[derive(Clone, Debug)]
pub(super) enum Aim {
    Apply(&'static str),
    Destroy,
}

/// A run whose commands go wrong.
pub(super) struct Case {
    pub(super) name: &'static str,
    pub(super) setup: &'static str,
    /// Runs before it, in which all goes well.
    pub(super) before: Vec<Aim>,
    pub(super) aim: Aim,
}

/// What is tried: the name, the machine, the runs before, and the run that goes wrong.
pub(super) fn cases() -> [Case; 6] {
    let routes = |name, before, aim| Case { name, setup: SETUP, before, aim };
    let file = |name, before, aim| Case { name, setup: NETWORKD, before, aim };
    [
        routes("first run", vec![], Aim::Apply(FIRST)),
        routes("change", vec![Aim::Apply(FIRST)], Aim::Apply(SECOND)),
        routes("destroy", vec![Aim::Apply(FIRST)], Aim::Destroy),
        file("first file", vec![], Aim::Apply(FILE_FIRST)),
        file("changed file", vec![Aim::Apply(FILE_FIRST)], Aim::Apply(FILE_SECOND)),
        file("removed file", vec![Aim::Apply(FILE_FIRST)], Aim::Destroy),
    ]
}
