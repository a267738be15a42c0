kthw
marked
netplan
if on node-1; then protocol=static; fi
mesh 20 21
netplan_file 20 21
if ! on node-1; then waiting; fi
