kthw
marked
mesh 20 21
if on node-0; then ip route change 10.200.1.0/24 via 10.240.0.21; fi
if on server; then ip route change 10.200.1.0/24 via 10.240.0.21 proto static; fi
