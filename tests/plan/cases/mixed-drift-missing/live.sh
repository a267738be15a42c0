kthw
in_azure
marked
netplan
protocol=static
mesh 20 21
netplan_file 20 21
if on server; then ip route del 10.200.1.0/24; fi
if on node-0; then rm /etc/netplan/60-topo.yaml; fi
