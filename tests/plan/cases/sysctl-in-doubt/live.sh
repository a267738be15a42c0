kthw
marked
if on node-0; then setting net/ipv4/ip_forward 1; fi
if on node-0 node-1; then our_sysctl_file 'net.ipv4.ip_forward = 1'; fi
