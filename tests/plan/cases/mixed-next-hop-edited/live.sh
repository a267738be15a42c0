kthw
in_azure
marked
netplan
protocol=static
mesh 20 21
netplan_file 20 21
if on node-1; then
  ip addr del 10.240.0.21/24 dev eth0
  machine 21 10.240.0.31/24
  ip route add default via 10.240.0.1 proto static
  ip route add 10.200.0.0/24 via 10.240.0.20 proto static
fi
