# All rows of the kernel for family $1, without the parts that change by themselves.
kernel_rows() {
  ip -o -d -N "$1" route show table all 2>/dev/null | sed -e 's/\\//g' -e 's/ expires -\{0,1\}[0-9]*sec//' -e 's/ error -\{0,1\}[0-9]*//' \
    -e 's/ \(linkdown\|dead\|offload\|offload_failed\|trap\|rt_offload\|rt_trap\|cache\)\>//g' -e 's/[[:space:]][[:space:]]*/ /g' -e 's/ $//' | sort -u
}
# Devices of networkd with their addresses.
addresses() {
  ip -o addr show 2>/dev/null | while read -r index device family address rest; do
    case $managed in *" $device "*) printf '%s %s\n' "$device" "$address" ;; esac
  done | sort
}
# When networkd restarts, it keeps an address from DHCP, but not the metric of the row for its subnet.
address_metrics() { ip -o -4 addr show 2>/dev/null | sed -n 's/^[0-9]*: *\([^ ]*\) *inet \([^ ]*\) metric \([0-9]*\) .*/\1 \2 \3/p' | sort; }
put_back_metrics() {
  address_metrics | comm -23 "$staging/metrics.before" - | while read -r device address metric; do
    lifetime=$(ip -o -4 addr show dev "$device" 2>/dev/null | sed -n "s#.* inet $address .*\(valid_lft .*\)#\1#p" | sed 's/sec//g')
    # shellcheck disable=SC2086
    [ -z "$lifetime" ] || ip addr change "$address" dev "$device" metric "$metric" $lifetime 2>/dev/null
  done
}
default_routes() { sed -n 's/^1 \(default .*dev [^ ]*\).*/\1/p' "$1" | sort -u; }
look() {
  kernel_rows -4 >"$staging/rows4.$1"
  kernel_rows -6 >"$staging/rows6.$1"
  live_rows >"$staging/live.$1"
  addresses >"$staging/addresses.$1"
  address_metrics >"$staging/metrics.$1"
}
# Rows of others that have disappeared. Ignores topo's rows, the kernel's rows, and rows on devices that networkd does
# not manage.
lost_rows() {
  comm -23 "$staging/rows$1.before" "$staging/rows$1.now" | while IFS= read -r row; do
    case $row in *' proto 2 '* | *' proto 9 '* | *' proto 16 '*) continue ;; esac
    if marked "$row "; then continue; fi
    destination=${row#* }
    case "$newline$our_destinations$newline" in *"$newline${destination%% *}$newline"*) continue ;; esac
    case $row in
      [6789]\ *) ;;
      *' dev '*)
        device=${row#* dev }
        case $managed in *" ${device%% *} "*) ;; *) continue ;; esac
        ;;
    esac
    printf '%s\n' "$row"
  done
}
# Restores on-link rows first, because other rows need them.
put_back_rows() {
  put_back_metrics
  look now
  for family in 4 6; do
    lost_rows "$family" >"$staging/lost"
    [ -s "$staging/lost" ] || continue
    cat "$staging/lost" >>"$staging/restored"
    for pass in -v -e; do
      grep "$pass" ' via ' "$staging/lost" | sed -e 's/^1 /unicast /' -e 's/^2 /local /' -e 's/^3 /broadcast /' -e 's/^4 /anycast /' -e 's/^5 /multicast /' \
        -e 's/^6 /blackhole /' -e 's/^7 /unreachable /' -e 's/^8 /prohibit /' -e 's/^9 /throw /' -e 's/^/route add /' |
        ip "-$family" -force -batch - >/dev/null 2>&1
    done
  done
  look now
}
# A drop-in beside every file in use makes networkd keep the configuration of its links during the restart.
keep_on() {
  [ -d "$put_folder" ] || made_folder=$put_folder
  mkdir -p "$put_folder" || return
  printf '%s\n' "$in_use" | while IFS= read -r file; do
    [ -n "$file" ] || continue
    mkdir -p "$put_folder/${file##*/}.d" && printf '[Network]\nKeepConfiguration=yes\n' >"$put_folder/${file##*/}.d/zz-topo-keep.conf" || exit 1
  done
}
keep_off() {
  for file in "$put_folder"/*.d/zz-topo-keep.conf; do
    [ ! -f "$file" ] || { rm -f "$file"; rmdir "${file%/*}" 2>/dev/null; }
  done
  [ -z "$made_folder" ] || rmdir "$made_folder" 2>/dev/null
}
# If IPv6 routes differ only in the protocol, the kernel keeps the existing one with its protocol.
blur() { sed "/^[^ ]*:/s/ \(4\|$marks\) \([0-9]*\)\$/ * \2/"; }
wanting() {
  blur <"$1" | sort >"$staging/left"
  live_rows | blur | sort | comm -23 "$staging/left" -
}
# Handles topo's rows that have a key of the file, but other values. networkd adds the file's row after topo's row, so
# topo's row is removed afterwards. An IPv6 row would become one row with two next hops, so it is changed at the time $1.
supersede() {
  live_rows | comm -13 "$staging/rows.wanted" - >"$staging/left"
  { comm -12 "$staging/left" "$staging/rows.present"; grep "^[^ ]* [^ ]* \($marks\) " "$staging/left"; } | sort -u |
    join - "$staging/rows.wanted" | while read -r destination gateway protocol metric new_gateway new_protocol new_metric; do
    [ "$metric" = "$new_metric" ] || continue
    case $1,$destination in
      *:*) set -- "$1" change "$new_gateway" "$new_protocol" ;;
      after,*) set -- "$1" del "$gateway" "$protocol" ;;
      *) continue ;;
    esac
    if [ "$1,$2,$gateway" != "before,change,$new_gateway" ]; then
      printf 'route %s %s via %s proto %s metric %s table %s\n' "$2" "$destination" "$3" "$4" "$metric" "$table"
    fi
  done >"$staging/commands"
  [ ! -s "$staging/commands" ] || ip -force -batch "$staging/commands" >/dev/null 2>&1
}
# Removes what the file has added, so that all rows can be as before.
remove_added() {
  live_rows | comm -12 - "$staging/rows.wanted" | comm -23 - "$staging/live.before" |
    sed "s/\([^ ]*\) \([^ ]*\) \([^ ]*\) \([^ ]*\)/route del \1 via \2 proto \3 metric \4 table $table/" | ip -force -batch - >/dev/null 2>&1
}
# Restarts networkd, and waits until the rows in file $1 are live and its links are as before.
restart_networkd() {
  : >"$staging/restarted"
  systemctl reset-failed systemd-networkd 2>/dev/null
  if ! said=$(systemctl restart systemd-networkd 2>&1); then
    wrong="systemd-networkd no longer starts: $said"
    return 1
  fi
  deadline=$(($(date +%s) + 20))
  while :; do
    files_in_use
    wanting "$1" >"$staging/waited"
    if [ -s "$staging/waited" ]; then
      wrong="20 s after the restart of systemd-networkd, the kernel still lacks $(wc -l <"$staging/waited") of the routes in the file, the first is $(head -n 1 "$staging/waited" | cut -d ' ' -f 1,2 | sed 's/ / via /')."
    elif [ "$used" != "$in_use" ]; then
      wrong='After its restart, systemd-networkd uses other .network files than before.'
    elif ! systemctl is-active --quiet systemd-networkd; then
      wrong='After its restart, systemd-networkd does not run.'
    else
      break
    fi
    if has_failed; then
      wrong="systemd-networkd reports that it failed to set up a device: $(networkd_said)"
      return 1
    fi
    [ "$(date +%s)" -lt "$deadline" ] || return 1
    sleep 0.1
  done
  # Links that were not configured before may wait long for router advertisements.
  deadline=$(($(date +%s) + 3))
  for link in $links; do
    until is_settled "$link"; do
      [ "$(date +%s)" -lt "$deadline" ] || break 2
      sleep 0.1
    done
  done
  if has_failed; then
    wrong="systemd-networkd reports that it failed to set up a device: $(networkd_said)"
    return 1
  fi
}
state_is() { grep -q -x "ADMIN_STATE=$2" "/run/systemd/netif/links/$1" 2>/dev/null; }
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
# Whether everything that existed before still exists.
all_is_there() {
  wrong=$(comm -23 "$staging/addresses.before" "$staging/addresses.now" | head -n 5)
  if [ -n "$wrong" ]; then
    wrong="With the file loaded, these addresses no longer exist: $wrong"
    return 1
  fi
  for family in 4 6; do
    default_routes "$staging/rows$family.before" >"$staging/left"
    default_routes "$staging/rows$family.now" >"$staging/right"
    wrong=$(comm -23 "$staging/left" "$staging/right" | head -n 5)
    if [ -n "$wrong" ]; then
      wrong="With the file loaded, this default route no longer exists: $wrong"
      return 1
    fi
    wrong=$(lost_rows "$family" | head -n 5)
    if [ -n "$wrong" ]; then
      wrong="With the file loaded, these routes of others no longer exist, and topo cannot restore them: $wrong"
      return 1
    fi
  done
  way_after=$(way)
  if [ "$way_before" != "$way_after" ]; then
    wrong="With the file loaded, packets to the operator would take another route:$way_after instead of$way_before."
    return 1
  fi
  wanting "$1" >"$staging/waited"
  if [ -s "$staging/waited" ]; then
    wrong="Routes of the file have disappeared again, the first is $(head -n 1 "$staging/waited")."
    return 1
  fi
}
load() {
  keep_on 2>/dev/null || { wrong="topo cannot write drop-ins to $put_folder."; return 1; }
  supersede before
  restart_networkd "$staging/rows.wanted" || return
  supersede after
  put_back_rows
  all_is_there "$staging/rows.wanted"
}
