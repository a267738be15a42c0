kthw
in_azure
marked
netplan
protocol=static
mesh 20 21
netplan_file 20 21
if on server; then ip route change 10.200.1.0/24 via 10.240.0.99; fi
if on node-0; then sed -i 's/10.240.0.21/10.240.0.99/' /etc/netplan/60-topo.yaml; fi
