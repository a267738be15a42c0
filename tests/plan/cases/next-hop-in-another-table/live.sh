kthw
device eth1
ip addr add "10.9.0.$number/24" dev eth1 noprefixroute
ip route add 10.9.0.0/24 dev eth1 table 103 proto kernel src "10.9.0.$number"
