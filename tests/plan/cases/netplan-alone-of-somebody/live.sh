kthw
netplan
protocol=static
mesh 20 21
