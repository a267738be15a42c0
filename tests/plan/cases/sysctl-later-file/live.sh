kthw
on node-0 && sysctl_file 99-hardening.conf '# by policy' net.ipv4.conf.all.forwarding=0
if on node-1; then printf 'net/ipv4/ip_forward = 0\n' >/etc/sysctl.conf; fi
if on server; then
  networkd eth0:
  mkdir -p /etc/systemd
  printf '[Network]\nIPv4Forwarding=no\n' >/etc/systemd/networkd.conf
fi
