kthw
netplan
if on server; then
  printf 'network:\n  version: 2\n  ethernets:\n    eth0:\n      mtu: 1400\n' >/etc/netplan/60-topo.yaml
  chmod 600 /etc/netplan/60-topo.yaml
fi
if on node-0; then
  topology=other
  netplan_file 20 21
fi
if on node-1; then
  lineage=ffffffffffffffffffffffffffffffff
  netplan_file 20 21
fi
