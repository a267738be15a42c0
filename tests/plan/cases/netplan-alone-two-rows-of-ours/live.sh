kthw
marked
netplan
protocol=static
file() {
  netplan_file
  [ "$number" = 21 ] || printf '      - {to: "10.200.0.0/24", via: "10.240.0.21"}\n' >>/etc/netplan/60-topo.yaml
  [ "$number" = 20 ] || printf '      - {to: "10.200.1.0/24", via: "10.240.0.20"}\n' >>/etc/netplan/60-topo.yaml
}
file
[ "$number" = 10 ] || ip link del cnio0
[ "$number" != 20 ] || pods 10.200.1.1/24
[ "$number" != 21 ] || pods 10.200.0.1/24
[ "$number" = 21 ] || ip route append 10.200.0.0/24 via 10.240.0.21 proto static
[ "$number" = 20 ] || ip route append 10.200.1.0/24 via 10.240.0.20 proto static
if on server; then
  ip route append 10.200.0.0/24 via 10.240.0.20 proto static
  ip route append 10.200.1.0/24 via 10.240.0.21 proto static
fi
