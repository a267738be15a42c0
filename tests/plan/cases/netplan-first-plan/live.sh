kthw
netplan
