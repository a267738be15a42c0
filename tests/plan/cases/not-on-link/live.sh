if on node-1; then
  machine 21 10.250.0.21/24
  ip route add default via 10.250.0.1 proto static
else
  kthw
fi
