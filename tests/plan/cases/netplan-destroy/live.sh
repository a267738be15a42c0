kthw
marked
netplan
protocol=static
mesh 20 21
netplan_file 20 21
if on node-0; then rm /etc/netplan/60-topo.yaml; fi
