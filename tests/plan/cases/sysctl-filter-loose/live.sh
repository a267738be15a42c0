kthw
marked
setting net/ipv4/ip_forward 1
setting net/ipv4/conf/all/rp_filter 2
setting net/ipv4/conf/default/rp_filter 2
our_sysctl_file 'net.ipv4.conf.all.rp_filter = 2' 'net.ipv4.conf.default.rp_filter = 2' 'net.ipv4.ip_forward = 1'
if on node-1; then setting net/ipv4/conf/eth0/rp_filter 1; fi
