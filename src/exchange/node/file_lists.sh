# Lists are sorted lines in variables. A command that makes one gets the mark `~end` behind its input, and prints it as its
# last line, or it did not read or say all. Puts the list $2 of the commands $1 into $got, without that mark.
whole() {
  got=$newline$2
  case $got in
    *"$newline~end") ;;
    *)
      failed_to "read a list with $1" "$2"
      return 1
      ;;
  esac
  got=${got%"$newline~end"}
  got=${got#"$newline"}
  got=${got#"$newline"}
}
# Puts into $got what only the first of two lists has.
only() {
  whole comm "$(comm -23 /dev/fd/3 /dev/fd/4 3<<FIRST 4<<SECOND
$1
~end
FIRST
$2
SECOND
)"
}
# Puts into $got what both lists have.
common() {
  whole comm "$(comm -12 /dev/fd/3 /dev/fd/4 3<<FIRST 4<<SECOND
$1
~end
FIRST
$2
~end
SECOND
)"
}
# Prints the lines of $1 that $2 lacks. Both are short.
lacking_lines() {
  while IFS= read -r line; do
    case $newline$2$newline in *"$newline$line$newline"*) ;; *) printf '%s\n' "$line" ;; esac
  done <<LINES
$1
LINES
}
# Removes files, and tries once more if it failed. $said has the reason why one is there still.
remove() {
  for try in first second; do
    said=$(rm -f "$@" 2>&1)
    for path; do
      if [ -e "$path" ] || [ -L "$path" ]; then continue 2; fi
    done
    return 0
  done
  said=${said:-"$path is there still"}
  return 1
}
# Removes a folder if it is empty.
remove_folder() {
  for try in first second; do
    ! rmdir "$1" 2>/dev/null || [ -d "$1" ] || return 0
    for entry in "$1"/* "$1"/.[!.]*; do
      if [ -e "$entry" ] || [ -L "$entry" ]; then return 0; fi
    done
    [ -d "$1" ] || return 0
  done
  said="the empty folder $1 is there still"
  return 1
}
