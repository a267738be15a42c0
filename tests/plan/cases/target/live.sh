kthw
if ! on node-2; then
  marked
  mesh 20 21
fi
