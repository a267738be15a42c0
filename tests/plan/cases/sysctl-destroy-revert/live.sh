kthw
marked
setting net/ipv4/ip_forward 1
our_sysctl_file 'net.ipv4.ip_forward = 1'
if on node-0; then rm /etc/sysctl.d/60-topo.conf; fi
if on node-1; then sysctl_file k8s.conf net.ipv4.ip_forward=1; fi
