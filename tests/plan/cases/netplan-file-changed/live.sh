kthw
marked
netplan
protocol=static
mesh 20 21
netplan_file 20 21
if on server; then sed -i 's/10.240.0.21/10.240.0.99/; $a\      # so that it works again' /etc/netplan/60-topo.yaml; fi
if on node-0; then sed -i 1d /etc/netplan/60-topo.yaml; fi
if on node-1; then chmod 644 /etc/netplan/60-topo.yaml; fi
