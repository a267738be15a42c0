put_folder=/run/systemd/network
refuse() {
  printf 'refused\n'
  quoted "$@"
  held=yes
}
# Prints the first 30 lines, each with a mark before it.
quoted() {
  for text; do printf '%s\n' "$text"; done | {
    number=0
    while [ "$number" -lt 30 ] && IFS= read -r line; do
      number=$((number + 1))
      printf '|%.400s\n' "$line"
    done
  }
}
shortened() { printf '%s\n' "$1" | sed "s#$staging/[a-z]*##g" | head -n 20; }
# Wanted file N is $staging/want.N, and its path is line N of $wanted.
new_of() { printf '%s/.%s.new' "${1%/*}" "$name"; }
old_of() { printf '%s/.%s.old' "${1%/*}" "$name"; }
# Removes the temporary files beside topo's files, including those of a killed run, and folders that were made in vain or
# have become empty.
tidy_files() {
  case $form in
    netplan) remove "/etc/netplan/.$name.new" "/etc/netplan/.$name.old" || remains=$said ;;
    *)
      for path in /etc/systemd/network/*.d/".$name".new /etc/systemd/network/*.d/".$name".old; do
        [ ! -f "$path" ] || remove "$path" || remains=$said
      done
      ;;
  esac
  [ -z "$folders" ] || while IFS= read -r folder; do remove_folder "$folder" || remains=$said; done <<FOLDERS
$folders
FOLDERS
}
# Notes the folders that are to go when they are empty, for the next run if something ends this one.
note_folders() {
  case $form in
    networkd)
      folders=$folders$newline$(printf '%s\n' "$wanted" "$present" | while IFS= read -r path; do [ -z "$path" ] || printf '%s\n' "${path%/*}"; done)
      ;;
  esac
  folders=$folders$newline$(
    printf '%s\n' "$in_use" | while IFS= read -r file; do
      [ -z "$file" ] || [ -d "$put_folder/${file##*/}.d" ] || printf '%s\n' "$put_folder/${file##*/}.d"
    done
    for folder in "$put_folder" "$networkd_settings"; do [ -d "$folder" ] || printf '%s\n' "$folder"; done
  )
  said=$({ mkdir -p /run/topo && printf '%s\n' "$folders" >"$note"; } 2>&1)
}
# Writes the new files beside the old ones, under names that nobody reads.
write_new() {
  number=0
  [ -z "$wanted" ] || while IFS= read -r path; do
    number=$((number + 1))
    new=$(new_of "$path")
    if [ -d "$path" ]; then said="$path is a folder"; return 1; fi
    if [ "$form" = networkd ]; then
      said=$({ mkdir -p "${path%/*}" && cp "$staging/want.$number" "$new"; } 2>&1) || return
    else
      said=$(umask 077; cp "$staging/want.$number" "$new" 2>&1) || return
    fi
  done <<WANTED
$wanted
WANTED
}
is_among() { case $newline$2$newline in *"$newline$1$newline"*) ;; *) return 1 ;; esac; }
# Whether the files are those of the list $1, and no others, with the content of the files $2.1, $2.2, …
are_files() {
  files_now=$(our_files)
  [ "$files_now" = "$1" ] || { said="these files are there: $files_now"; return 1; }
  number=0
  [ -z "$1" ] || while IFS= read -r path; do
    number=$((number + 1))
    said="$path has another content"
    is_same "$path" "$2.$number" || return
  done <<FILES
$1
FILES
}
# Keeps a copy of the present files.
keep_present() {
  number=0
  [ -z "$present" ] || while IFS= read -r path; do
    number=$((number + 1))
    said=$(cp -p "$path" "$staging/was.$number" 2>&1) || return
    is_same "$path" "$staging/was.$number" || return
  done <<PRESENT
$present
PRESENT
}
# Until netplan has run, its output is that of the file which was there. A kill in between would make it look like a change of somebody
# else's, so that file is kept for the next run. After a boot the output is that of the files.
note_output() {
  [ "$form" = netplan ] && [ -n "$present" ] && [ ! -f "$output_of" ] || return 0
  said=$({ cp -p "$present" "$output_of.new" && mv -f "$output_of.new" "$output_of"; } 2>&1)
}
forget_output() { remove "$output_of" "$output_of.new" || remains=$said; }
install_files() {
  [ -z "$present" ] || while IFS= read -r path; do
    old=$(old_of "$path")
    said=$(ln -f "$path" "$old" 2>&1) || return
    said="$old is not there"
    [ -f "$old" ] || return
  done <<PRESENT
$present
PRESENT
  [ -z "$wanted" ] || while IFS= read -r path; do
    new=$(new_of "$path")
    said=$({ sync "$new" && mv -f "$new" "$path"; } 2>&1) || return
  done <<WANTED
$wanted
WANTED
  [ -z "$present" ] || while IFS= read -r path; do
    if ! is_among "$path" "$wanted"; then
      said=$(rm -f "$path" 2>&1) || return
    fi
  done <<PRESENT
$present
PRESENT
  are_files "$wanted" "$staging/want"
}
# Puts the old files back, and fails if they are not as they were.
put_back_files() {
  [ -z "$wanted" ] || while IFS= read -r path; do
    is_among "$path" "$present" || remove "$path" || return
  done <<WANTED
$wanted
WANTED
  [ -z "$present" ] || while IFS= read -r path; do
    old=$(old_of "$path")
    [ ! -f "$old" ] || said=$(mv -f "$old" "$path" 2>&1) || said=$(mv -f "$old" "$path" 2>&1) || return
  done <<PRESENT
$present
PRESENT
  are_files "$present" "$staging/was" || return
  if [ "$form" = netplan ]; then
    said=$(generate 2>&1) || said=$(generate 2>&1) || return
    forget_output
    [ -n "$was" ] || return 0
    differ "$staging/$was/$generated" "$put_folder" || return
    said="netplan's output is not as before: $more$less"
    [ -z "$more$less" ]
  fi
}
mark_pending() {
  runs_as=$(invocation) || { said="readlink $unit failed: $runs_as"; return 1; }
  said=$({ mkdir -p /run/topo && printf '%s\n' "$runs_as" >"/run/topo/$name.pending"; } 2>&1)
}
# Notes about other files are obsolete, too, if networkd has read those files since.
unmark_pending() {
  remove "/run/topo/$name.pending" || remains=$said
  if ! runs_as=$(invocation); then
    failed "readlink $unit" "$runs_as"
    return 1
  fi
  for waits in /run/topo/*.pending; do
    said=
    [ -f "$waits" ] || continue
    read -r said <"$waits"
    [ "$said" = "$runs_as" ] || remove "$waits" || remains=$said
  done
}
# Sets $loaded if networkd has read all routes of the files already, so that nothing needs to be loaded (only the first line
# or the mode differs). Fails where that is not known.
is_loaded() {
  loaded=
  [ -n "$runs" ] && [ "$was_pending" = no ] && [ -n "$rows_wanted" ] || return 0
  wanting "$rows_wanted" || return
  [ -z "$got" ] || return 0
  # The folder itself is the mark that find looked into it.
  case $form in
    netplan)
      differ "$staging/after/$generated" "$put_folder" || return
      [ -z "$more$less" ] || return 0
      around=$put_folder
      newer=$(find "$around" -path "$around" -print -o -name '10-netplan-*' -newer "$unit" -print 2>&1)
      ;;
    *)
      [ "$rows_present.$present" = "$rows_wanted.$wanted" ] || return 0
      around=/etc/systemd/network
      newer=$(find "$around" -path "$around" -print -o -name "$name" -newer "$unit" -print 2>&1)
      ;;
  esac
  [ "$newer" = "$around" ] || return 0
  # After loading, topo removes its rows beside those of the file.
  marked_rows && joined "$got" "$rows_wanted" || return
  [ -n "$got" ] || loaded=yes
}
write_files() {
  present=$(our_files)
  if [ -z "$wanted" ] && [ -z "$present" ] && [ "$was_pending" = no ]; then
    # A run that was cut off behind the load leaves its note.
    [ ! -f "/run/topo/$name.pending" ] || unmark_pending
    done_with
    return
  fi
  networkd_runs || return
  if [ -z "$runs" ] && [ -n "$wanted" ]; then
    refuse 'systemd-networkd does not run on this node, so nothing would read the file. Exclude this node from the netplan backend, or start systemd-networkd.'
    return
  fi
  "check_$form" || return
  if ! note_folders; then
    refuse "topo cannot write to /run/topo: $said"
    return
  fi
  if ! write_new; then
    refuse "topo cannot write the file: $said"
    return
  fi
  [ -z "$present" ] || while IFS= read -r path; do
    if [ ! -w "${path%/*}" ]; then
      refuse "topo cannot write to the folder ${path%/*}. Check whether the file system is read-only."
      return
    fi
  done <<PRESENT
$present
PRESENT
  if [ "$activation" = check ]; then tidy_files; done_with; return; fi

  is_loaded || return
  # If networkd does not run, nothing has read the file that topo removes.
  loads=
  if [ "$activation" = load ] && [ -n "$runs" ] && [ -z "$loaded" ]; then
    loads=yes
    read_version && look_before && read_next_hops || return
  fi
  keep_present || { failed cp "$said"; return; }
  if ! mark_pending || ! note_output || { [ -n "$loads" ] && ! note_others; }; then
    refuse "topo cannot write to /run/topo: $said"
    return
  fi
  wrong=
  if ! install_files; then
    wrong="topo cannot write the file: $said"
  elif [ "$form" = netplan ]; then
    if ! said=$(generate 2>&1); then
      wrong="With the file in place, netplan reports: $(shortened "$said")"
    elif ! differ "$staging/after/$generated" "$put_folder"; then
      wrong="With the file in place, netplan's output could not be compared."
    elif [ -n "$more$less" ]; then
      wrong="With the file in place, netplan's output differs from its output for the copy: $(shortened "$more$less")"
    else
      forget_output
    fi
  fi
  if [ -n "$wrong" ]; then
    put_back_files || failed_to "put $name back" "$said"
    [ "$was_pending" = yes ] || unmark_pending
    forget_others
    went_back
    return
  fi
  if [ "$activation" != load ]; then
    [ -z "$loaded" ] || unmark_pending
    tidy_files
    done_with
    return
  fi
  if [ -n "$loads" ] && ! load; then
    go_back
    return
  fi
  forget_others || return
  tidy_files
  unmark_pending
  done_with
}
# After a load that failed: the old files, and networkd with them.
go_back() {
  reason=${wrong:-A command failed.}
  goes_back=yes
  put_back_files || failed_to "put $name back" "$said"
  # Restore topo's rows, too. Do it while networkd restarts, because networkd adds next hops to IPv6 rows that have others.
  marked() { return 1; }
  our_destinations=
  remove_added
  put_back_others
  # If even that does not start networkd, systemd tries again, and the rest should stay as it is.
  if ! restart_networkd "$rows_present"; then
    failed 'systemctl restart systemd-networkd' "${wrong%%"$newline"*}"
  fi
  remove_added
  if put_back_others && read_lost; then
    if [ -n "$lost" ]; then
      reason=${reason%%"$newline"*}
      failed_to 'put back all that others had' "${reason%.}. The old file is back, but this is still missing: ${lost%%"$newline"*}"
    else
      forget_others
    fi
  fi
  unmark_pending
  wrong=$reason
  went_back
}
went_back() {
  tidy_files
  if [ -n "$remains" ]; then failed rm "$remains"; fi
  printf 'back\n'
  quoted "$wrong"
  held=yes
}
done_with() {
  if [ -n "$remains" ]; then
    failed rm "$remains"
    return
  fi
  file_token && read_rows "$table" && split_rows "$rows" "$pattern" || return
  printf 'done\ntoken %s\ntable %s %s\n' "$token" "$ours_digest" "$foreign_digest"
  [ -z "$restored" ] || while IFS= read -r line; do printf '+%s\n' "$line"; done <<RESTORED
$restored
RESTORED
}
# Only one run at a time on a node. Removes what a killed run left.
file_work() {
  if [ -d /run/systemd ] && command -v flock >/dev/null 2>&1; then
    exec 9</run/systemd
    if ! flock -w 60 9; then
      refuse 'Another run of topo has been changing the files on this node for more than a minute. Try again after its end.'
      exec 9<&-
      return
    fi
  fi
  remains=
  folders=
  restored=
  goes_back=
  note=/run/topo/.$name.folders
  output_of=/run/topo/.$name.output
  [ ! -f "$note" ] || while IFS= read -r folder; do
    case $folder in /etc/systemd/network/*.d | "$put_folder" | "$put_folder"/*.d | "$networkd_settings") folders=$folders$newline$folder ;; esac
  done <"$note"
  remove_staging
  keep_off || remains=$said
  if [ -n "$remains" ]; then
    failed rm "$remains"
  elif recover_others && cover_off && file_token; then
    was_pending=$pending
    if [ -n "$known" ] && [ "$token" != "$known" ]; then
      printf 'moved\n'
      held=yes
    elif ! staging=$(mktemp -d /run/topo-file.XXXXXXXX 2>&1) || [ ! -d "$staging" ]; then
      refuse "topo cannot make a folder in /run: $staging"
      remove_staging
    else
      tidy_files
      if said=$(want_files 2>&1); then write_files; else refuse "topo cannot write the file to /run: $said"; fi
      tidy_files
      remove_staging
      # The drop-ins are there still if networkd does not start any more. The next run removes them, and their folders.
      if [ -z "$remains" ] && ! is_kept; then
        remove "$note" && remove_folder /run/topo || remains=$said
      fi
      if [ -n "$remains" ]; then failed rm "$remains"; fi
    fi
  fi
  exec 9<&-
}
remove_staging() {
  for try in first second; do
    said=$(rm -rf /run/topo-file.* 2>&1)
    set -- /run/topo-file.*
    [ -e "$1" ] || return 0
  done
  remains=${said:-"$1 is there still"}
}
