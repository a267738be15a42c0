if ask_ways '{questions}'; then
  # Each list has a mark of its own. An answer that was cut off lacks one of them.
  losers=$(printf '%s\n~asked\n' "$answer" | cut -d ' ' -f 1-3 | sort | comm -13 - /dev/fd/3 3<<'WANTED'
{wanted}~asked
~wanted
WANTED
)
  case $newline$losers in
    *"$newline~asked"*) failed 'sort and comm' '' ;;
    *"$newline~wanted") printf 'loses\n%s\n' "${{losers%"~wanted"}}" ;;
    *) failed 'sort and comm' '' ;;
  esac
fi
