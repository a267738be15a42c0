kthw
if on server; then
  device docker0
  ip addr add 172.17.0.1/16 dev docker0
fi
