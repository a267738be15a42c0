kthw
if on node-0 node-1; then ip rule add fwmark 1 lookup 100; fi
if on node-1; then ip link del cnio0; fi
