kthw
if on server; then ip route add 10.200.0.0/24 via 10.240.0.99 proto 80; fi
if on node-0; then
  device eth1
  ip addr add 10.200.1.9/24 dev eth1
fi
