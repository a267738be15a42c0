kthw
marked
setting net/ipv4/ip_forward 1
our_sysctl_file 'net.ipv4.ip_forward = 1'
if on node-0; then sysctl_file 99-hardening.conf net.ipv4.ip_forward=0; fi
if on node-1; then sysctl_file 99-same.conf net.ipv4.ip_forward=1; fi
