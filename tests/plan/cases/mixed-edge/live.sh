machine 9 192.168.10.20/24
ip route add default via 192.168.10.1 proto static
pods 10.200.9.1/24
netplan
