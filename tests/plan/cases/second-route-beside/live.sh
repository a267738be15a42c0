kthw
marked
mesh 20 21
if on server; then ip route prepend 10.200.1.0/24 via 10.240.0.99 proto 186; fi
if on node-0; then ip route append 10.200.1.0/24 via 10.240.0.99; fi
if on node-1; then ip route prepend blackhole 10.200.0.0/24; fi
