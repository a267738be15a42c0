# Nothing of topo is there.
kthw
