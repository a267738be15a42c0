kthw
networkd eth0:/etc/systemd/network/10-eth0.network
