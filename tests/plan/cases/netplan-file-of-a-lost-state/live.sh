kthw
marked 201 ffffffffffffffffffffffffffffffff
netplan
protocol=static
mesh 20 21
lineage=ffffffffffffffffffffffffffffffff
netplan_file 20 21
