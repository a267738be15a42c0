kthw
marked
mesh 20 21
setting net/ipv4/ip_forward 1
ip route add default via 10.240.0.99 table 100
# To the pods of another node, for a part of the node's own pods alone, and a copy of the right route.
if on node-0; then
  ip rule add to 10.200.1.128/25 from 10.200.0.64/26 lookup 100 pref 100
  ip rule add from 10.200.0.0/24 lookup 101 pref 200
  ip route add 10.200.1.0/24 via 10.240.0.21 table 101
fi
# To the node's own pods, which are behind its bridge.
if on node-1; then ip rule add to 10.200.1.0/24 lookup 100; fi
if on server; then
  ip rule add fwmark 1 lookup 100
  ip rule add to 10.200.1.0/24 prohibit
fi
