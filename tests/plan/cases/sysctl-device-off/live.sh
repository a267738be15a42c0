kthw
marked
setting net/ipv4/ip_forward 1
our_sysctl_file 'net.ipv4.ip_forward = 1'
if on node-0; then setting net/ipv4/conf/eth0/forwarding 0; fi
if on node-1; then setting net/ipv4/conf/cnio0/forwarding 0; fi
# Nothing comes in there.
if on server; then setting net/ipv4/conf/lo/forwarding 0; fi
