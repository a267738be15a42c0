kthw
if on server; then sysctl_file 50-early.conf net.ipv4.ip_forward=0; fi
