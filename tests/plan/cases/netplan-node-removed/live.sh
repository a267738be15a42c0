kthw
marked
netplan
protocol=static
mesh 20 21 22
netplan_file 20 21 22
