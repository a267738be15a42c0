put_folder=/run/systemd/network
made_folder=
refuse() {
  printf 'refused\n'
  printf '%s\n' "$@" | head -n 30 | cut -c 1-400 | sed 's/^/|/'
  held=yes
}
shortened() { printf '%s\n' "$1" | sed "s#$staging/[a-z]*##g" | head -n 20; }
# Wanted file N is $staging/want.N, and its path is line N of $staging/wanted.
new_of() { printf '%s/.%s.new' "${1%/*}" "$name"; }
old_of() { printf '%s/.%s.old' "${1%/*}" "$name"; }
# Removes the temporary files beside topo's files, including those of a killed run.
tidy_files() {
  case $form in
    netplan) rm -f "/etc/netplan/.$name.new" "/etc/netplan/.$name.old" ;;
    *)
      for path in /etc/systemd/network/*.d/".$name".new /etc/systemd/network/*.d/".$name".old; do
        [ ! -f "$path" ] || { rm -f "$path"; rmdir "${path%/*}" 2>/dev/null; }
      done
      ;;
  esac
  # Remove folders that were made in vain, or have become empty.
  if [ "$form" = networkd ] && [ -f "$staging/folders" ]; then
    while IFS= read -r folder; do rmdir "$folder" 2>/dev/null; done <"$staging/folders"
  fi
}
# Writes the new files beside the old ones, under names that nobody reads.
write_new() {
  number=0
  while IFS= read -r path; do
    number=$((number + 1))
    folder=${path%/*}
    if [ "$form" = networkd ]; then
      printf '%s\n' "$folder" >>"$staging/folders"
      said=$(mkdir -p "$folder" 2>&1) || return
      said=$(cp "$staging/want.$number" "$(new_of "$path")" 2>&1) || return
    else
      said=$(umask 077; cp "$staging/want.$number" "$(new_of "$path")" 2>&1) || return
    fi
  done <"$staging/wanted"
}
install_files() {
  while IFS= read -r path; do
    if [ -f "$path" ]; then said=$(ln -f "$path" "$(old_of "$path")" 2>&1) || return; fi
  done <"$staging/present"
  while IFS= read -r path; do
    new=$(new_of "$path")
    said=$({ sync "$new" && mv -f "$new" "$path"; } 2>&1) || return
  done <"$staging/wanted"
  while IFS= read -r path; do
    if ! grep -q -x -F -e "$path" "$staging/wanted"; then
      printf '%s\n' "${path%/*}" >>"$staging/folders"
      said=$(rm -f "$path" 2>&1) || return
    fi
  done <"$staging/present"
}
put_back_files() {
  while IFS= read -r path; do
    if ! grep -q -x -F -e "$path" "$staging/present"; then rm -f "$path"; fi
  done <"$staging/wanted"
  while IFS= read -r path; do
    if [ -f "$(old_of "$path")" ]; then mv -f "$(old_of "$path")" "$path"; fi
  done <"$staging/present"
  if [ "$form" = netplan ]; then generate >/dev/null 2>&1; fi
}
mark_pending() { mkdir -p /run/topo && invocation >"/run/topo/$name.pending"; }
# Notes about other files are obsolete, too, if networkd has read those files since.
unmark_pending() {
  rm -f "/run/topo/$name.pending"
  for note in /run/topo/*.pending; do
    said=
    [ -f "$note" ] && read -r said <"$note"
    [ "$said" = "$(invocation)" ] || rm -f "$note"
  done
  rmdir /run/topo 2>/dev/null
}
# Whether networkd has read all routes of the files already, so that nothing needs to be loaded (only the first line or
# the mode differs).
is_loaded() {
  [ -n "$runs" ] && [ "$was_pending" = no ] && [ -s "$staging/rows.wanted" ] && [ -z "$(wanting "$staging/rows.wanted")" ] || return
  start=/run/systemd/units/invocation:systemd-networkd.service
  case $form in
    netplan)
      differ "$staging/after/$generated" "$put_folder"
      [ ! -s "$staging/more" ] && [ ! -s "$staging/less" ] || return
      newer=$(find "$put_folder" -name '10-netplan-*' -newer "$start" 2>&1)
      ;;
    *)
      cmp -s "$staging/rows.present" "$staging/rows.wanted" && cmp -s "$staging/present" "$staging/wanted" || return
      newer=$(find /etc/systemd/network -name "$name" -newer "$start" 2>&1)
      ;;
  esac
  [ -z "$newer" ] || return
  # After loading, topo removes its rows beside those of the file.
  live_rows | comm -23 - "$staging/rows.wanted" | grep "^[^ ]* [^ ]* \($marks\) " | join - "$staging/rows.wanted" >"$staging/left"
  [ ! -s "$staging/left" ]
}
write_files() {
  our_files >"$staging/present"
  if [ ! -s "$staging/wanted" ] && [ ! -s "$staging/present" ] && [ "$was_pending" = no ]; then done_with; return; fi
  networkd_runs || return
  if [ -z "$runs" ] && [ -s "$staging/wanted" ]; then
    refuse 'systemd-networkd does not run on this node, so nothing would read the file. Exclude this node from the netplan backend, or start systemd-networkd.'
    return
  fi
  "check_$form" || return
  if ! write_new; then
    refuse "topo cannot write the file: $said"
    return
  fi
  while IFS= read -r path; do
    if [ ! -w "${path%/*}" ]; then
      refuse "topo cannot write to the folder ${path%/*}. Check whether the file system is read-only."
      return
    fi
  done <"$staging/present"
  if [ "$activation" = check ]; then tidy_files; done_with; return; fi

  loaded=
  ! is_loaded || loaded=yes
  if ! said=$(mark_pending 2>&1); then
    refuse "topo cannot write to /run/topo: $said"
    return
  fi
  wrong=
  if ! install_files; then
    wrong="topo cannot write the file: $said"
  elif [ "$form" = netplan ]; then
    if ! said=$(generate 2>&1); then
      wrong="With the file in place, netplan reports: $(shortened "$said")"
    else
      differ "$staging/after/$generated" "$put_folder"
      [ ! -s "$staging/more" ] && [ ! -s "$staging/less" ] || wrong="With the file in place, netplan's output differs from its output for the copy: $(cat "$staging/more" "$staging/less" | head -n 20)"
    fi
  fi
  if [ -n "$wrong" ]; then
    put_back_files
    [ "$was_pending" = yes ] || unmark_pending
    went_back
    return
  fi
  if [ "$activation" != load ]; then
    [ -z "$loaded" ] || unmark_pending
    tidy_files
    done_with
    return
  fi

  # If networkd does not run, nothing has read the file that topo removes.
  if [ -n "$runs" ] && [ -z "$loaded" ]; then
    our_destinations=$(cat "$staging/rows.present" "$staging/rows.wanted" | cut -d ' ' -f 1 | sort -u)
    managed=' '
    links=
    configured=
    for link in /run/systemd/netif/links/*; do
      if grep -q '^NETWORK_FILE=' "$link" 2>/dev/null; then
        for device in /sys/class/net/*/ifindex; do
          index=
          read -r index <"$device"
          [ "$index" != "${link##*/}" ] || { device=${device%/ifindex}; managed="$managed${device##*/} "; }
        done
        links="$links ${link##*/}"
        if state_is "${link##*/}" configured; then configured="$configured ${link##*/}"; fi
      fi
    done
    look before
    way_before=$(way)
    if ! load; then
      reason=$wrong
      put_back_files
      # Restore topo's rows, too. Do it while networkd restarts, because networkd adds next hops to IPv6 rows that have others.
      marked() { return 1; }
      our_destinations=
      remove_added
      put_back_rows
      # If even that does not start networkd, systemd tries again, and the rest should stay as it is.
      if restart_networkd "$staging/rows.present"; then
        wrong=
        keep_off
      fi
      remove_added
      put_back_rows
      unmark_pending
      wrong=$reason${wrong:+" The restart with the old file failed, too: $wrong"}
      went_back
      return
    fi
    keep_off
  fi
  unmark_pending
  tidy_files
  done_with
}
went_back() {
  tidy_files
  printf 'back\n'
  printf '%s\n' "$wrong" | head -n 30 | cut -c 1-400 | sed 's/^/|/'
  held=yes
}
done_with() {
  file_token && read_rows "$table" && split_rows "$rows" "$pattern" || return
  printf 'done\ntoken %s\ntable %s %s\n' "$token" "$ours_digest" "$foreign_digest"
  [ ! -f "$staging/restored" ] || sed 's/^/+/' "$staging/restored"
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
  rm -rf /run/topo-file.*
  keep_off
  if ! file_token; then
    exec 9<&-
    return
  fi
  was_pending=$pending
  if [ -n "$known" ] && [ "$token" != "$known" ]; then
    printf 'moved\n'
    held=yes
  elif ! staging=$(mktemp -d /run/topo-file.XXXXXXXX 2>&1); then
    refuse "topo cannot make a folder in /run: $staging"
  else
    : >"$staging/wanted"
    tidy_files
    if said=$(want_files 2>&1); then write_files; else refuse "topo cannot write the file to /run: $said"; fi
    tidy_files
    rm -rf "$staging"
  fi
  exec 9<&-
}
