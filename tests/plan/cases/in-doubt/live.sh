kthw
if ! on node-2; then
  marked
  mesh 20 21
fi
if on server; then ip route add 10.200.2.0/24 via 10.240.0.22 proto 201; fi
if on node-2; then
  marked
  ip route add 10.200.0.0/24 via 10.240.0.20 proto 201
fi
