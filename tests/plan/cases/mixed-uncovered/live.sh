kthw
in_azure
netplan
