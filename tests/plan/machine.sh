# Builds a machine in fresh network and mount namespaces as live.sh of a case says, then runs the script on standard input there.
# $1 is an empty folder, $2 the name of the node, $3 the path of live.sh.
set -eu
folder=$1 node=$2 live=$3
lineage=0a1b2c3d4e5f60718293a4b5c6d7e8f9
mount -t tmpfs tmpfs "$folder"
mkdir -p "$folder/etc" "$folder/bin" "$folder/class/dmi/id"
cp -r /etc/iproute2 "$folder/etc/" 2>/dev/null || true
mount --bind "$folder/etc" /etc
mount -t tmpfs tmpfs /run
mount -t sysfs sysfs /sys
echo 0 >/proc/sys/net/ipv6/conf/default/accept_dad
echo 1 >/proc/sys/net/ipv6/conf/default/addr_gen_mode
ip link set lo up
# device NAME: a network device whose link is up.
device() {
  ip link add "$1" type veth peer name "$1-peer"
  ip link set "$1-peer" up
  ip link set "$1" up
}
device eth0
# The kernel may start a namespace with the values of this machine.
for setting in net/ipv4/ip_forward net/ipv6/conf/all/forwarding net/ipv4/conf/all/rp_filter net/ipv4/conf/default/rp_filter \
  net/ipv4/conf/eth0/rp_filter; do
  echo 0 >"/proc/sys/$setting"
done
# Files of this machine say nothing about others.
for vendor in /usr/lib/sysctl.d /usr/local/lib/sysctl.d /lib/sysctl.d /usr/lib/systemd/network; do
  if [ -d "$vendor" ]; then mount -t tmpfs tmpfs "$vendor"; fi
done

# --- what live.sh is made of ---

# Whether the machine has one of these names.
on() { for name; do [ "$name" != "$node" ] || return 0; done; return 1; }

# machine NUMBER ADDRESS/LENGTH…: a machine whose id ends with this number, and which the operator reaches at its first address.
machine() {
  printf '%032d\n' "$1" >/etc/machine-id
  shift
  first=${1%/*}
  for address; do
    case $address in
      *:*) ip addr add "$address" dev eth0 nodad ;;
      *) ip addr add "$address" dev eth0 ;;
    esac
  done
}

# pods ADDRESS/LENGTH…: the bridge of the machine's own pods.
pods() {
  device cnio0
  for address; do
    case $address in
      *:*) ip addr add "$address" dev cnio0 nodad ;;
      *) ip addr add "$address" dev cnio0 ;;
    esac
  done
}

# The machines of the tutorial: server is 10.240.0.10, node-N is 10.240.0.2N and has the pods 10.200.N.0/24. $number is the last
# part of the address, and of the machine's id.
kthw() {
  case $node in
    server) number=10 ;;
    *) number=2${node##*-} ;;
  esac
  machine "$number" "10.240.0.$number/24"
  ip route add default via 10.240.0.1 proto static
  [ "$number" = 10 ] || pods "10.200.${node##*-}.1/24"
  printf 'nameserver 10.240.0.2\n' >/etc/resolv.conf
}

# marked [PROTOCOL [LINEAGE [TOPOLOGY [NODE]]]]: the marker of the topology. Older versions of topo wrote no name of the node.
marked() {
  mkdir -p /etc/topo
  printf 'lineage %s\nprotocol %s\n' "${2:-$lineage}" "${1:-201}" >"/etc/topo/${3:-kthw}"
  [ -z "${4:-}" ] || printf 'node %s\n' "$4" >>"/etc/topo/${3:-kthw}"
}

# mesh NUMBER…: routes to the pods of these nodes of the tutorial, but for the machine's own.
protocol=201
mesh() {
  for other; do
    [ "$other" = "$number" ] || ip route add "10.200.$((other - 20)).0/24" via "10.240.0.$other" proto "$protocol"
  done
}

# A machine in Azure.
in_azure() { printf '7783-7084-3265-9085-8269-3286-77\n' >"$folder/class/dmi/id/chassis_asset_tag"; }

# networkd DEVICE:NETWORK_FILE…: systemd-networkd runs and uses these files for these devices.
networkd() {
  mkdir -p /run/systemd/netif/links /run/systemd/units
  ln -s 00000000000000000000000000000001 /run/systemd/units/invocation:systemd-networkd.service
  stub systemctl '[ "$*" = "is-active --quiet systemd-networkd" ]'
  for link in lo: "$@"; do uses "${link%%:*}" "${link#*:}"; done
}

# uses DEVICE [NETWORK_FILE]: networkd knows the device, and uses the file for it.
uses() {
  {
    printf 'ADMIN_STATE=configured\nOPER_STATE=routable\n'
    [ -z "$2" ] || printf 'NETWORK_FILE=%s\n' "$2"
  } >"/run/systemd/netif/links/$(cat "/sys/class/net/$1/ifindex")"
}

# network_manager DEVICE…: NetworkManager has noted that it manages these devices.
network_manager() {
  mkdir -p /run/NetworkManager/devices
  for device; do
    printf '[device]\nmanaged=true\nnm-owned=false\n' >"/run/NetworkManager/devices/$(cat "/sys/class/net/$device/ifindex")"
  done
}

# netplan [KIND [ID]]: netplan 0.106 and a file of somebody else with the definition of eth0. What `netplan get` says of it all stands
# in /run/netplan.get, as netplan prints it.
netplan() {
  mkdir -p /etc/netplan
  stub dpkg-query 'printf 0.106-2+deb12u1'
  stub netplan '[ "$*" = get ] && cat /run/netplan.get'
  networkd "eth0:/run/systemd/network/10-netplan-${2:-eth0}.network"
  printf 'network:\n  version: 2\n  renderer: networkd\n  %s:\n    %s:\n      addresses:\n      - "%s"\n' \
    "${1:-ethernets}" "${2:-eth0}" "$(ip -o -4 addr show dev eth0 | sed 's/.* inet \([^ ]*\) .*/\1/')" >/run/netplan.get
}

# netplan_file [NUMBER…]: the file of topo as it writes it, with routes to the pods of these nodes.
netplan_file() {
  {
    printf '# Written by topo for topology %s, lineage %s. What is changed here by hand, topo changes back.\n' "${topology:-kthw}" "$lineage"
    printf 'network:\n  version: 2\n  ethernets:\n    %s:\n      routes:\n' "${id:-eth0}"
    for other; do
      [ "$other" = "$number" ] || printf '      - {to: "10.200.%s.0/24", via: "10.240.0.%s"}\n' $((other - 20)) "$other"
    done
  } >/etc/netplan/60-topo.yaml
  chmod 600 /etc/netplan/60-topo.yaml
}

# waiting [NAME]: the file was put there and networkd has not read it yet.
waiting() {
  mkdir -p /run/topo
  printf '00000000000000000000000000000001\n' >"/run/topo/${1:-60-topo.yaml}.pending"
}

# sysctl_file NAME LINE…: a file of somebody else in /etc/sysctl.d.
sysctl_file() {
  mkdir -p /etc/sysctl.d
  file=/etc/sysctl.d/$1
  shift
  printf '%s\n' "$@" >"$file"
}

# our_sysctl_file LINE…: the file of topo.
our_sysctl_file() {
  sysctl_file 60-topo.conf \
    "# Written by topo for topology ${topology:-kthw}, lineage $lineage. What is changed here by hand, topo changes back." "$@"
}

# setting PATH VALUE: a value of the kernel.
setting() { printf '%s\n' "$2" >"/proc/sys/$1"; }

# A program that does what it says here.
stub() {
  printf '#!/bin/sh\n%s\n' "$2" >"$folder/bin/$1"
  chmod +x "$folder/bin/$1"
}

# --- the machine ---

. "$live"
cp -a /sys/class/net "$folder/class/net"
mount --bind "$folder/class" /sys/class
PATH=$folder/bin:$PATH
export PATH
# shellcheck disable=SC2086 # split into words on purpose
exec ${as:-} sh -s -- "${operator:-10.240.0.250} 40000 $first 22"
