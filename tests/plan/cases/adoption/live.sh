kthw
if ! on node-1; then
  protocol=boot
  mesh 20 21
fi
