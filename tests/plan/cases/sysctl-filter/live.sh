kthw
if on node-0; then setting net/ipv4/conf/eth0/rp_filter 2; fi
