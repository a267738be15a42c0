# If IPv6 routes differ only in the protocol, the kernel keeps the existing one with its protocol.
blur() { sed "/^[^ ]*:/s/ \(4\|$marks\) \([0-9]*\)\$/ * \2/"; }
blurred() { whole 'sed and sort' "$(printf '%s\n~end\n' "$1" | blur | sort)"; }
# Puts the rows of the list $1 that are not live into $got.
wanting() {
  live_rows && blurred "$1" || return
  first=$got
  blurred "$live" && only "$first" "$got"
}
# Puts topo's own live rows that the files do not have into $got, by their mark.
marked_rows() {
  live_rows && only "$live" "$rows_wanted" || return
  others=$got
  whole grep "$(printf '%s\n~end\n' "$others" | grep -e "^[^ ]* [^ ]* \($marks\) " -e '^~end$')"
}
# Puts the rows of $1 into $got that have a destination of the rows $2, each followed by the rest of that row.
joined() {
  whole join "$(join /dev/fd/3 /dev/fd/4 3<<FIRST 4<<SECOND
$1
~end
FIRST
$2
~end
SECOND
)"
}
# Handles topo's rows that have a key of the file, but other values: puts the commands for them into $commands. networkd adds
# the file's row after topo's row, so topo's row is removed afterwards. An IPv6 row would become one row with two next hops, so
# it is changed at the time $1.
superseded() {
  marked_rows || return
  ours=$got
  whole sort "$(printf '%s\n' "$rows_present" "$rows_of_output" '~end' | sort -u)" && common "$others" "$got" || return
  whole sort "$(printf '%s\n' "$ours" "$got" '~end' | sort -u)" && joined "$got" "$rows_wanted" || return
  commands=$(
    while read -r destination gateway protocol metric new_gateway new_protocol new_metric; do
      [ -n "$destination" ] && [ "$metric" = "$new_metric" ] || continue
      case $1,$destination in
        *:*) set -- "$1" change "$new_gateway" "$new_protocol" ;;
        after,*) set -- "$1" del "$gateway" "$protocol" ;;
        *) continue ;;
      esac
      if [ "$1,$2,$gateway" != "before,change,$new_gateway" ]; then
        printf 'route %s %s via %s proto %s metric %s table %s\n' "$2" "$destination" "$3" "$4" "$metric" "$table"
      fi
    done <<ROWS
$got
ROWS
  )
}
supersede() {
  superseded "$1" || return
  [ -n "$commands" ] || return 0
  said=$(printf '%s\n' "$commands" | ip -force -batch - 2>&1)
  superseded "$1" || return
  if [ -n "$commands" ]; then
    wrong="topo cannot replace its own rows that have the destinations of the file: $said"
    return 1
  fi
}
# Removes what the file has added, so that all rows can be as before.
remove_added() {
  added || return
  [ -n "$got" ] || return 0
  printf '%s\n' "$got" | sed "s/\([^ ]*\) \([^ ]*\) \([^ ]*\) \([^ ]*\)/route del \1 via \2 proto \3 metric \4 table $table/" | ip -force -batch - >/dev/null 2>&1
}
# Puts the live rows that the file has added into $got.
added() { live_rows && common "$live" "$rows_wanted" && only "$got" "$live_before"; }
# Restarts networkd so that it leaves all as it is, and waits until the rows $1 are live and its links are as before.
restart_networkd() {
  printf '' >"$staging/restarted"
  run_before=$(invocation) || { failed "readlink $unit" "$run_before"; return 1; }
  said=$(keep_on 2>&1) || { wrong="topo cannot write drop-ins to $put_folder and $networkd_settings: $said"; return 1; }
  cover_on || return
  systemctl reset-failed systemd-networkd 2>/dev/null
  if ! said=$(systemctl restart systemd-networkd 2>&1); then
    wrong="systemd-networkd no longer starts: $said"
    return 1
  fi
  # networkd has read the drop-ins. A later restart by somebody else must not find them.
  keep_off || { failed rm "$said"; return 1; }
  touch -h -r "$unit" "$staging/restarted" 2>/dev/null
  wait_for_links
  cover_ends
  put_back_lifetimes && cover_off || return
  read_seconds
  deadline=$((seconds + 20))
  while :; do
    files_in_use
    wanting "$1" || return
    runs_as=$(invocation)
    if [ -n "$got" ]; then
      count_lines "$got"
      first=${got%%"$newline"*}
      next_hop=${first#* }
      wrong="20 s after the restart of systemd-networkd, the kernel still lacks $count of the routes in the file, the first is ${first%% *} via ${next_hop%% *}."
    elif [ "$used" != "$in_use" ]; then
      wrong='After its restart, systemd-networkd uses other .network files than before.'
    elif [ "$runs_as" = "$run_before" ]; then
      wrong='systemd-networkd was not restarted.'
    elif ! systemctl is-active --quiet systemd-networkd; then
      wrong='After its restart, systemd-networkd does not run.'
    else
      break
    fi
    if has_failed; then
      wrong="systemd-networkd reports that it failed to set up a device: $(networkd_said)"
      return 1
    fi
    read_seconds
    [ "$seconds" -lt "$deadline" ] || return 1
    sleep 0.1
  done
  # Links that were not configured before may wait long for router advertisements.
  deadline=$((seconds + 3))
  for link in $links; do
    until is_settled "$link"; do
      read_seconds
      [ "$seconds" -lt "$deadline" ] || break 2
      sleep 0.1
    done
  done
  if has_failed; then
    wrong="systemd-networkd reports that it failed to set up a device: $(networkd_said)"
    return 1
  fi
}
# Whether a line of the file $1 begins with $2.
has_line() {
  [ -f "$1" ] || return
  while IFS= read -r line; do
    case $line in "$2"*) return 0 ;; esac
  done 2>/dev/null <"$1"
  return 1
}
state_is() { has_line "/run/systemd/netif/links/$1" "ADMIN_STATE=$2"; }
# The state file of a link may be older than the restart.
is_settled() {
  [ "/run/systemd/netif/links/$1" -nt "$staging/restarted" ] || return
  case " $configured " in *" $1 "*) state_is "$1" configured || state_is "$1" failed ;; esac
}
has_failed() {
  for link in $configured; do
    if [ "/run/systemd/netif/links/$link" -nt "$staging/restarted" ] && state_is "$link" failed; then return 0; fi
  done
  return 1
}
networkd_said() { journalctl -q --no-pager -o cat -n 20 "_SYSTEMD_INVOCATION_ID=$(invocation)" 2>/dev/null | grep -i -e fail -e could | tail -n 3; }
# Whether everything that existed before still exists, and nothing of topo's stands beside the file's rows.
all_is_there() {
  read_lost || return
  if [ -n "$lost" ]; then
    tell_lost
    return 1
  fi
  way_after=$(way) || way_after=' a way that is not known'
  if [ "$way_before" != "$way_after" ]; then
    wrong="With the file loaded, packets to the operator would take another route:$way_after instead of$way_before."
    return 1
  fi
  wanting "$1" || return
  if [ -n "$got" ]; then
    wrong="Routes of the file have disappeared again, the first is ${got%%"$newline"*}."
    return 1
  fi
}
load() {
  wrong=
  supersede before && restart_networkd "$rows_wanted" && supersede after && put_back_others && all_is_there "$rows_wanted"
}
