COMMANDS
)
devices=$(printf '%s\n' "$answers" | cut -d ' ' -f 2 | sort -u)
count=$(printf '%s\n' "$answers" | wc -l)
case $devices in
'') ;;
*"$newline"*) printf '%s\n' "$answers" | sed 's/^/hop /' ;;
*) if [ "$count" -eq {count} ]; then printf 'hops %s\n' "$devices"; else printf '%s\n' "$answers" | sed 's/^/hop /'; fi ;;
esac
