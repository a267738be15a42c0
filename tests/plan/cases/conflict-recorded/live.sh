kthw
marked
mesh 20 21
if on server; then ip route replace 10.200.0.0/24 via 10.240.0.20 proto 186; fi
