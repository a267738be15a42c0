kthw
if on node-1; then printf %032d 20 >/etc/machine-id; fi
