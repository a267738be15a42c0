kthw
marked
mesh 20 21
if on node-1; then ip link del cnio0; fi
