kthw
marked
mesh 20 21
if on node-0; then
  stub ip 'case "$*" in *"route show table"*) echo "RTNETLINK answers: Cannot allocate memory" >&2; exit 2 ;; esac
exec /usr/sbin/ip "$@"'
fi
