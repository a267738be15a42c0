kthw
if on node-1; then printf %032d 99 >/etc/machine-id; else marked; mesh 20 21; fi
