kthw
marked
mesh 20 21
setting net/ipv4/ip_forward 1
if on node-0; then
  ip route add default via 10.240.0.99 table 100
  ip rule add from 10.200.0.0/24 lookup 100
fi
