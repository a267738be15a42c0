kthw
marked
setting net/ipv4/ip_forward 1
if on node-0; then our_sysctl_file 'net.ipv4.ip_forward = 0' 'vm.swappiness = 1'; fi
if on node-1; then
  our_sysctl_file 'net.ipv4.ip_forward = 1'
  setting net/ipv4/ip_forward 0
fi
