kthw
if on server; then
  ip route add 10.200.0.0/24 via 10.240.0.20 proto static
  ip route add 10.200.1.0/24 via 10.240.0.21 proto 80
fi
