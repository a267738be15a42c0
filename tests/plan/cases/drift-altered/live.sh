kthw
marked
mesh 20 21
if on server node-0; then ip route change 10.200.1.0/24 via 10.240.0.99; fi
if on node-1; then ip route change 10.200.0.0/24 proto 201 nexthop via 10.240.0.20 nexthop via 10.240.0.99; fi
