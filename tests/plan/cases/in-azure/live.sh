kthw
in_azure
