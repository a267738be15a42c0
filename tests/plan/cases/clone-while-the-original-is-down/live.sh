kthw
case $node in node-2) marked 201 "" kthw node-1 ;; *) marked 201 "" kthw "$node" ;; esac
mesh 20 21
