# Check short answers without starting a process.
if [ "${#answers}" -gt 20000 ]; then
  kinds=$(printf '%s\n' "$answers" | cut -d ' ' -f 2,4 | sort -u | tr '\n' ';')
  case $kinds in
    'dev src;' | 'from dev;' | 'dev src;from dev;') answers= ;;
  esac
else
  rest=$answers$newline
  while [ -n "$rest" ]; do
    case ${rest%%"$newline"*} in
      *' via '* | local* | broadcast* | multicast* | unreachable* | blackhole* | prohibit*) break ;;
      *.*' dev '*' src '* | *:*' from :: dev '*) rest=${rest#*"$newline"} ;;
      *) break ;;
    esac
  done
  [ -n "$rest" ] || answers=
fi
[ -z "$answers" ] || printf '%s\n' "$answers"
end
