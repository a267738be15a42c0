kthw
if on server; then
  ip route add 10.200.0.0/24 via 10.240.0.20 mtu 1400 advmss 1360
  ip route add 10.200.1.0/24 via 10.240.0.21 src 10.240.0.10 initcwnd 20
fi
if on node-0; then ip route add 10.200.1.0/24 via 10.240.0.21 dev eth0 onlink; fi
