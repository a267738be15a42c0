kthw
marked
setting net/ipv4/ip_forward 1
our_sysctl_file 'net.ipv4.ip_forward = 1'
if on node-0; then sysctl_file 10-hardening.conf net.ipv4.conf.eth0.forwarding=0; fi
if on node-1; then sysctl_file 10-hardening.conf 'net.ipv4.conf.[c-e]*.forwarding = 0' '-net.ipv4.conf.eth0.forwarding'; fi
