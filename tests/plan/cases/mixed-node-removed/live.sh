kthw
in_azure
marked
netplan
protocol=static
mesh 20 21
netplan_file 20 21
