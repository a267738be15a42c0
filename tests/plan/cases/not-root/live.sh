kthw
as='setpriv --reuid=1000 --regid=1000 --clear-groups'
marked
if on node-1; then mesh 20; fi
