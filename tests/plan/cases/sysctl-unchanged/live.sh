kthw
marked
setting net/ipv4/ip_forward 1
our_sysctl_file 'net.ipv4.ip_forward = 1'
