kthw
if on node-0; then
  protocol=boot
  mesh 20 21
  ip route replace 10.200.0.0/24 via 10.240.0.20
fi
