kthw
marked 201 ffffffffffffffffffffffffffffffff
setting net/ipv4/ip_forward 1
lineage=ffffffffffffffffffffffffffffffff
if on server; then our_sysctl_file 'net.ipv4.ip_forward = 1'; fi
if on node-0; then topology=other our_sysctl_file 'net.ipv4.ip_forward = 1'; fi
if on node-1; then sysctl_file 60-topo.conf 'net.ipv4.ip_forward = 1'; fi
