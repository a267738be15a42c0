if on server; then
  kthw
else
  machine 20 10.240.0.20/24 10.240.0.21/24
  ip route add default via 10.240.0.1 proto static
  pods 10.200.0.1/24
fi
