kthw
marked
mesh 20 21
if on server; then ip route add 10.200.2.0/24 via 10.240.0.22 proto 201; fi
