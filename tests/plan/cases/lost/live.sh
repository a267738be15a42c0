kthw
marked
mesh 20 21
if on server; then ip route replace 10.200.1.0/24 via 10.240.0.21 proto 186; fi
