#!/bin/sh
# Stands in PATH before a program of the same name. Counts its calls in the folder $CALLS, and lets call $FAULT (`ip.2`: the second of
# `ip`) go wrong as $MODE says.
name=${0##*/}
number=1
set -C
until { true >"$CALLS/$name.$number"; } 2>/dev/null; do number=$((number + 1)); done
set +C
printf '%s\n' "$*" >"$CALLS/$name.$number"
for folder in "$STUBS" /usr/sbin /usr/bin /sbin /bin; do [ ! -x "$folder/$name" ] || break; done
[ "$name.$number" = "$FAULT" ] || exec "$folder/$name" "$@"
half() {
  "$folder/$name" "$@" >"$OUTPUT"
  /usr/bin/head -c $(($(/usr/bin/wc -c <"$OUTPUT") / 2)) "$OUTPUT"
}
case $MODE in
  message)
    printf '%s: Cannot allocate memory\n' "$name" >&2
    exit 2
    ;;
  silent) exit 1 ;;
  nothing) exit 0 ;;
  lost) "$folder/$name" "$@" >/dev/null 2>&1 ;;
  half) half "$@" ;;
  torn)
    half "$@"
    kill -KILL $$
    ;;
  killed) kill -KILL $$ ;;
  behind)
    "$folder/$name" "$@"
    kill -KILL $$
    ;;
esac
exit 0
