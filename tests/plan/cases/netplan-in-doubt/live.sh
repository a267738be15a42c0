kthw
netplan
if ! on node-2; then
  marked
  protocol=static
  mesh 20 21
  protocol=201
  on node-1 || mesh 22
  netplan_file 20 21
fi
if on server; then
  netplan_file 20 21 22
  waiting
fi
