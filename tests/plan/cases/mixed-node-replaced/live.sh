kthw
in_azure
netplan
if on node-1; then printf %032d 99 >/etc/machine-id; else marked; protocol=static; mesh 20 21; netplan_file 20 21; fi
