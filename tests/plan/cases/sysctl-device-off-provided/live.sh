kthw
setting net/ipv4/ip_forward 1
sysctl_file k8s.conf 'net.ipv4.ip_forward = 1'
if on node-0; then setting net/ipv4/conf/eth0/forwarding 0; fi
