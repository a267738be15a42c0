case $node in node-0) node=node-1 ;; esac
kthw
marked
mesh 20 21
