# Puts all rows of the kernel for family $1 into $got, without the parts that change by themselves.
kernel_rows() {
  got=
  [ "$1" = -4 ] || [ -d /proc/sys/net/ipv6 ] || return 0
  if ! ask "-o -d -N $1" 'route show table all' || [ "$status" -ne 0 ]; then
    failed "ip $1 route show table all" "$answer"
    return 1
  fi
  found=$(printf '%s\n~end\n' "$answer" | sed -e 's/\\//g' -e 's/ expires -\{0,1\}[0-9]*sec//' -e 's/ error -\{0,1\}[0-9]*//' \
    -e 's/ \(linkdown\|dead\|offload\|offload_failed\|trap\|rt_offload\|rt_trap\|cache\)\>//g' -e 's/[[:space:]][[:space:]]*/ /g' -e 's/ $//' | sort -u)
  whole 'sed and sort' "$found"
}
# Puts the addresses of networkd's devices into $addresses, and into $metrics those of IPv4 with a metric and their lifetime.
# When networkd restarts, it keeps an address from DHCP, but not the metric of the row for its subnet.
read_addresses() {
  if ! ask -o 'addr show' || [ "$status" -ne 0 ]; then
    failed 'ip addr show' "$answer"
    return 1
  fi
  addresses=
  metrics=
  while read -r index device family address rest; do
    case $family in inet | inet6) ;; *) continue ;; esac
    case $managed in *" $device "*) addresses=$addresses${addresses:+$newline}"$device $address" ;; esac
    case $family.$rest in
      'inet.metric '*)
        rest=${rest#metric }
        metrics=$metrics${metrics:+$newline}"$device $address ${rest%% *}"
        ;;
    esac
  done <<ADDRESSES
$answer
ADDRESSES
}
# Gives addresses the metric back that they had.
put_back_metrics() {
  lacking=$(lacking_lines "$metrics_before" "$metrics")
  [ -n "$lacking" ] || return 0
  while read -r device address metric; do
    lifetime=$(ip -o -4 addr show dev "$device" 2>/dev/null | sed -n "s#.* inet $address .*\(valid_lft .*\)#\1#p" | sed 's/sec//g')
    # shellcheck disable=SC2086
    [ -z "$lifetime" ] || ip addr change "$address" dev "$device" metric "$metric" $lifetime 2>/dev/null
  done <<METRICS
$lacking
METRICS
}
# Puts the default routes among the rows $1 into $got.
default_routes() {
  whole sed "$(printf '%s\n~end\n' "$1" | sed -n -e 's/^1 \(default .*dev [^ ]*\).*/\1/p' -e '/^~end$/p')"
}
look_now() {
  kernel_rows -4 || return
  rows4_now=$got
  kernel_rows -6 || return
  rows6_now=$got
  live_rows && read_addresses
}
# What is there before the load.
look_before() {
  managed=' '
  links=
  configured=
  for link in /run/systemd/netif/links/*; do
    if has_line "$link" 'NETWORK_FILE='; then
      for device in /sys/class/net/*/ifindex; do
        index=
        read -r index <"$device"
        [ "$index" != "${link##*/}" ] || { device=${device%/ifindex}; managed="$managed${device##*/} "; }
      done
      links="$links ${link##*/}"
      if state_is "${link##*/}" configured; then configured="$configured ${link##*/}"; fi
    fi
  done
  our_destinations=$(printf '%s\n' "$rows_present" "$rows_wanted" | while read -r destination rest; do printf '%s\n' "$destination"; done)
  look_now || return
  rows4_before=$rows4_now
  rows6_before=$rows6_now
  live_before=$live
  addresses_before=$addresses
  metrics_before=$metrics
  default_routes "$rows4_before" || return
  defaults4_before=$got
  default_routes "$rows6_before" || return
  defaults6_before=$got
  way_before=$(way) || { failed "ip route get $peer" "$way_before"; return 1; }
}
# Puts rows of others that have disappeared into $lost. Ignores topo's rows, the kernel's rows, and rows on devices that
# networkd does not manage.
lost_rows() {
  case $1 in
    4) only "$rows4_before" "$rows4_now" || return ;;
    *) only "$rows6_before" "$rows6_now" || return ;;
  esac
  lost=
  [ -n "$got" ] || return 0
  lost=$(
    while IFS= read -r row; do
      case $row in '' | *' proto 2 '* | *' proto 9 '* | *' proto 16 '*) continue ;; esac
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
    done <<ROWS
$got
ROWS
  )
}
# Restores on-link rows first, because other rows need them.
put_back_rows() {
  look_now && put_back_metrics || return
  for family in 4 6; do
    lost_rows "$family" || return
    [ -n "$lost" ] || continue
    restored=$restored${restored:+$newline}$lost
    for pass in -v -e; do
      printf '%s\n' "$lost" | grep "$pass" ' via ' | sed -e 's/^1 /unicast /' -e 's/^2 /local /' -e 's/^3 /broadcast /' -e 's/^4 /anycast /' -e 's/^5 /multicast /' \
        -e 's/^6 /blackhole /' -e 's/^7 /unreachable /' -e 's/^8 /prohibit /' -e 's/^9 /throw /' -e 's/^/route add /' |
        ip "-$family" -force -batch - >/dev/null 2>&1
    done
  done
  look_now
}
# A drop-in beside every file in use makes networkd keep the configuration of its links during the restart.
keep_on() {
  mkdir -p "$put_folder" || return
  [ -z "$in_use" ] || while IFS= read -r file; do
    at=$put_folder/${file##*/}.d
    mkdir -p "$at" && printf '[Network]\nKeepConfiguration=yes\n' >"$at/zz-topo-keep.conf" || return
  done <<USED
$in_use
USED
}
keep_off() {
  for file in "$put_folder"/*.d/zz-topo-keep.conf; do
    if [ -f "$file" ]; then
      remove "$file" && remove_folder "${file%/*}" || return
    fi
  done
}
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
  common "$others" "$rows_present" || return
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
# Restarts networkd, and waits until the rows $1 are live and its links are as before.
restart_networkd() {
  printf '' >"$staging/restarted"
  run_before=$(invocation) || { failed "readlink $unit" "$run_before"; return 1; }
  systemctl reset-failed systemd-networkd 2>/dev/null
  if ! said=$(systemctl restart systemd-networkd 2>&1); then
    wrong="systemd-networkd no longer starts: $said"
    return 1
  fi
  deadline=$(($(date +%s) + 20))
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
  wrong=$(lacking_lines "$addresses_before" "$addresses")
  if [ -n "$wrong" ]; then
    wrong="With the file loaded, these addresses no longer exist: $wrong"
    return 1
  fi
  for family in 4 6; do
    case $family in
      4) default_routes "$rows4_now" && wrong=$(lacking_lines "$defaults4_before" "$got") || return ;;
      *) default_routes "$rows6_now" && wrong=$(lacking_lines "$defaults6_before" "$got") || return ;;
    esac
    if [ -n "$wrong" ]; then
      wrong="With the file loaded, this default route no longer exists: $wrong"
      return 1
    fi
    lost_rows "$family" || return
    if [ -n "$lost" ]; then
      wrong="With the file loaded, these routes of others no longer exist, and topo cannot restore them: $lost"
      return 1
    fi
  done
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
  said=$(keep_on 2>&1) || { wrong="topo cannot write drop-ins to $put_folder: $said"; return 1; }
  supersede before && restart_networkd "$rows_wanted" && supersede after && put_back_rows && all_is_there "$rows_wanted"
}
