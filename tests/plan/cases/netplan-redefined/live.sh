kthw
marked
if on server; then netplan ethernets id0; else netplan; fi
protocol=static
mesh 20 21
netplan_file 20 21
