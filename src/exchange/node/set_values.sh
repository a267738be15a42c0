# Works on the file $path: $before is its content and a dot, or empty if there is none. `want` prints the new content.
# `each_value COMMAND` calls a command with setting, value before and value after; `each_value_back` the same from the end.
content() {
  if [ -e "$path" ] || [ -L "$path" ]; then cat "$path" && printf .; fi
}
quote() { printf '%s\n' "$@" | head -n 20 | cut -c 1-400 | sed 's/^/|/'; }
is_as_seen() {
  [ -z "$moved" ] || return 0
  got=$(cat "/proc/sys/$1" 2>&1)
  [ "$got" = "$2" ] || moved=yes
}
set_value() {
  [ -z "$trouble" ] || return 0
  [ "$2" != "$3" ] || return 0
  said=$({ printf '%s\n' "$3" >"/proc/sys/$1"; } 2>&1)
  changed="$changed $1"
  got=$(cat "/proc/sys/$1" 2>&1)
  [ "$got" = "$3" ] || trouble="topo cannot set $1 to $3: ${said:-the kernel keeps $got}."
}
is_as_set() {
  got=$(cat "/proc/sys/$1" 2>&1)
  [ -n "$trouble" ] || [ "$got" = "$3" ] || trouble="$1 is $got again right after topo set it to $3."
}
set_value_back() {
  case "$changed " in *" $1 "*) ;; *) return 0 ;; esac
  { printf '%s\n' "$2" >"/proc/sys/$1"; } 2>/dev/null
  got=$(cat "/proc/sys/$1" 2>&1)
  [ "$got" = "$2" ] || left="$left$newline$1 was $2 and is $got now."
}
write_whole_file() {
  if [ "$wanted" = yes ]; then
    said=$(mkdir -p "${path%/*}" 2>&1) || return
    said=$({ want >"$new" && chmod 644 "$new" && sync "$new"; } 2>&1) || return
  fi
  if [ -n "$before" ]; then said=$(ln -f "$path" "$old" 2>&1) || return; fi
  touched=yes
  if [ "$wanted" = yes ]; then
    said=$(mv -f "$new" "$path" 2>&1) || return
  else
    said=$(rm -f "$path" 2>&1) || return
  fi
  found=$(content 2>&1)
  [ "$found" = "$after" ] || { said='the file is not as written'; return 1; }
}
put_whole_file_back() {
  [ -n "$touched" ] || return 0
  if [ -n "$before" ]; then
    said=$(mv -f "$old" "$path" 2>&1)
  else
    said=$(rm -f "$path" 2>&1)
  fi
  found=$(content 2>&1)
  [ "$found" = "$before" ] || left="$left${newline}topo cannot put $path back: $said"
}
# Removes the temporary files beside topo's file. Once more if it failed: nothing looks for them later.
tidy() {
  for try in first second; do
    rm -f "$new" "$old" 2>/dev/null
    [ -e "$new" ] || [ -e "$old" ] || return 0
  done
}
set_values() {
  moved= trouble= changed= touched= left=
  new=${path%/*}/.${path##*/}.new
  old=${path%/*}/.${path##*/}.old
  found=$(content 2>&1) || moved=yes
  [ "$found" = "$before" ] || moved=yes
  each_value is_as_seen
  if [ -n "$moved" ] || [ -n "$held" ]; then
    held=yes
    printf 'moved\n'
    return
  fi
  if [ -d "$path" ] || [ -L "$path" ]; then
    held=yes
    printf 'refused\n'
    quote "$path is not a file of its own. Move it away, and run topo again."
    return
  fi
  tidy
  if ! way_before=$(way); then
    failed "ip route get $peer" "$way_before"
    return
  fi
  if [ "$found" != "$after" ]; then
    write_whole_file || trouble="topo cannot write $path: $said"
  fi
  [ -n "$trouble" ] || each_value set_value
  [ -n "$trouble" ] || each_value is_as_set
  way_after=$(way) || way_after='not known'
  if [ -z "$trouble" ] && [ "$way_before" != "$way_after" ]; then
    trouble="The node's route back to you would have changed from '$way_before' to '$way_after'."
  fi
  if [ -n "$trouble" ]; then
    held=yes
    each_value_back set_value_back
    put_whole_file_back
    if [ -n "$touched$changed" ]; then printf 'back\n'; else printf 'refused\n'; fi
    quote "$trouble$left"
  else
    printf 'done\n'
  fi
  tidy
}
