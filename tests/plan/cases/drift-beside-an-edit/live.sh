kthw
if ! on node-2; then
  marked
  mesh 20 21
fi
if on server; then
  ip route change 10.200.0.0/24 via 10.240.0.99
  ip route del 10.200.1.0/24
fi
