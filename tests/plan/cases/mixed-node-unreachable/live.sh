kthw
in_azure
netplan
if ! on node-2; then
  marked
  protocol=static
  mesh 20 21
  netplan_file 20 21
fi
