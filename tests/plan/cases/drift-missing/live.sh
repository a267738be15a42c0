kthw
marked
mesh 20 21
if on server node-0; then ip route del 10.200.1.0/24; fi
