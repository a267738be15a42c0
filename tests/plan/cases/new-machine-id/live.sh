kthw
marked
mesh 20 21
if on node-1; then printf %032d 99 >/etc/machine-id; fi
