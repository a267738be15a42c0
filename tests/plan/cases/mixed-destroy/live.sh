kthw
in_azure
marked
netplan
protocol=static
mesh 20 21
netplan_file 20 21
if on server; then ip route add 10.99.0.0/24 via 10.240.0.99; fi
