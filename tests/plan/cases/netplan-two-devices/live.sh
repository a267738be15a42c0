if on node-1; then
  number=21
  machine 21 10.240.1.21/23
  pods 10.200.1.1/24
elif on node-0; then
  number=20
  machine 20 10.240.0.20/23
  pods 10.200.0.1/24
else
  machine 10 10.240.0.10/24
  device eth1
  ip addr add 10.240.1.10/24 dev eth1
fi
netplan
if on server; then
  uses eth1 /run/systemd/network/10-netplan-side.network
  printf '    side:\n      match:\n        name: "eth1"\n' >>/run/netplan.get
fi
