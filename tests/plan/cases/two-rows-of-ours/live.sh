kthw
marked
mesh 20 21
if on server; then ip route append 10.200.1.0/24 via 10.240.0.31 proto 201; fi
