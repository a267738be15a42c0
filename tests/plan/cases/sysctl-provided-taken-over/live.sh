kthw
setting net/ipv4/ip_forward 1
if on server; then sysctl_file k8s.conf 'net.ipv4.ip_forward = 1'; fi
if on node-0; then
  networkd eth0:
  mkdir -p /etc/systemd/network
  printf '[Match]\nName=eth0\n[Network]\nIPForward=yes\n' >/etc/systemd/network/eth0.network
fi
