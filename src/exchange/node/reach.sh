tell_tunnels "$answer" '^1 '
# Check short answers without starting a process. The mark shows that grep read all of a long one.
if [ "${#answer}" -gt 20000 ]; then
  odd=$(printf '%s\n~end\n' "$answer" |
    grep -v -x -e '1 [0-9.]* dev [^ ]* \(.* \)\{0,1\}src .*' -e '1 [0-9a-f:.]* from :: dev [^ ]* .*')
  [ "$odd" != '~end' ] || answer=
else
  rest=$answer$newline
  while [ -n "$rest" ]; do
    case ${rest%%"$newline"*} in
      *' via '*) break ;;
      '1 '*.*' dev '*' src '* | '1 '*:*' from :: dev '*) rest=${rest#*"$newline"} ;;
      *) break ;;
    esac
  done
  [ -n "$rest" ] || answer=
fi
[ -z "$answer" ] || printf '%s\n' "$answer"
