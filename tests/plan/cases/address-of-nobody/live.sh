kthw
