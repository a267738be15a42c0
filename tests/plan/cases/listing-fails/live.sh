kthw
marked
mesh 20 21
if on node-0; then
  stub ip 'case "$*" in
  *-batch*)
    questions=$(cat)
    case $questions in *"route show table"*) echo "RTNETLINK answers: Cannot allocate memory" >&2; exit 1 ;; esac
    printf "%s\n" "$questions" | /usr/sbin/ip "$@"
    exit ;;
esac
exec /usr/sbin/ip "$@"'
fi
