kthw
in_azure
netplan
if on server; then ip route add 10.200.1.0/24 via 10.240.0.99 proto 80; fi
if on node-0; then
  printf 'network:\n  version: 2\n' >/etc/netplan/60-topo.yaml
  chmod 600 /etc/netplan/60-topo.yaml
fi
