kthw
netplan
protocol=static
mesh 20 21
if on server; then
  ip route change 10.200.0.0/24 via 10.240.0.99 proto static
  printf '%s\n' 'network:' '  ethernets:' '    eth0:' '      routes:' '      - to: 10.200.0.0/24' '        via: 10.240.0.99' \
    '      # to: 10.200.1.0/24' >/etc/netplan/50-cloud-init.yaml
fi
