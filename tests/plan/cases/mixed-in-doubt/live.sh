kthw
in_azure
netplan
if ! on node-2; then
  marked
  protocol=static
  mesh 20 21
  netplan_file 20 21
fi
if on server; then ip route add 10.200.2.0/24 via 10.240.0.22 proto 201; fi
