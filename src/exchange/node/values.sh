paths=
# Notes that the setting $1 is to be read. Strange names of devices are nothing for a path.
note() {
  case $1 in *[!A-Za-z0-9_.:@/-]*) return ;; esac
  case "$paths " in *" $1 "*) ;; *) paths="$paths $1" ;; esac
}
# Reads all noted settings. The shell cannot: it reads byte by byte, and the kernel gives a value only in one read.
read_noted() {
  [ -d /proc/sys/net/ipv4 ] || failed 'ls /proc/sys/net/ipv4' ''
  present=
  for path in $paths; do
    if [ -e "/proc/sys/$path" ]; then
      present="$present /proc/sys/$path"
    else
      printf 'absent %s\n' "$path"
    fi
  done
  [ -n "$present" ] || return 0
  # shellcheck disable=SC2086 # split into words on purpose
  said=$(grep -H '' $present 2>&1) || failed "grep -H '' $present" "$said"
  while IFS= read -r line; do
    path=${line%:*}
    printf 'value %s %s\n' "${path#/proc/sys/}" "${line##*:}"
  done <<VALUES
$said
VALUES
}
# Lines of the file $1 that fit `is_about`. Names with a line break would look like lines of this answer.
lines_of() {
  case $1 in *"$newline"*) failed "ls '${1%/*}'" 'The name of a file has a line break.'; return ;; esac
  if [ ! -r "$1" ]; then
    failed "cat '$1'" ''
    return
  fi
  while IFS= read -r line || [ -n "$line" ]; do
    if is_about "$line"; then printf '|%s\n' "$line"; fi
  done <"$1"
}
# The entries of the folders $@, and whether they can be listed.
list_files() {
  for folder; do
    [ -d "$folder" ] || continue
    said=$(ls -A "$folder" 2>&1) || failed "ls -A $folder" "$said"
  done
}
# All of the file $1, with a dot behind it.
whole_file() {
  if [ ! -e "$1" ] && [ ! -L "$1" ]; then
    printf 'none\n'
  elif [ ! -f "$1" ] || [ ! -r "$1" ]; then
    failed "cat $1" ''
  else
    printf 'whole\n'
    while IFS= read -r line; do printf '|%s\n' "$line"; done <"$1"
    # The last line, if it has no end.
    printf '|%s.\n' "$line"
  fi
}
