# The look goes to the address, so the machine that was node-1 answers as node-0.
case $node in node-0) node=node-1 ;; node-1) node=node-0 ;; esac
kthw
marked
mesh 20 21
