if on back-0; then
  machine 120 10.241.0.20/24
  ip route add default via 10.241.0.1 proto static
  pods 10.201.0.1/24
else
  kthw
fi
