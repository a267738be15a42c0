# Keeps what a node has beside topo's routes while systemd-networkd restarts. `KeepConfiguration=yes` alone would make leases endless,
# and add rules without a priority once more.
networkd_settings=/run/systemd/networkd.conf.d
# The stand-ins for leased addresses, a line each: device, address with its length, subnet or none, metric.
covers=/run/topo/.covers
# Sets $keeps_leases if systemd is 257 or newer. Older ones drop leased and autoconfigured addresses when networkd starts.
read_version() {
  keeps_leases=
  said=$(systemctl --version 2>&1)
  version=${said#systemd }
  version=${version%%[!0-9]*}
  case $said.$version in
    'systemd '*.[1-9]*) ;;
    *)
      failed 'systemctl --version' "$said"
      return 1
      ;;
  esac
  [ "$version" -lt 257 ] || keeps_leases=yes
}
# Sets $leaves_next_hops if networkd can leave next hop objects alone. From 257 on, networkd has an object for each router. If it leaves
# those alone, it adds the router's rows again without an object, also when it hears the router later. The kernel would join such a
# default route with a static one of the same metric to one row of two next hops. Where there is a static default route, the router's
# can be missing until it is heard again.
read_next_hops() {
  leaves_next_hops=
  [ -n "$keeps_leases" ] || return 0
  leaves_next_hops=yes
  while IFS= read -r row; do
    case $row in
      *' nhid '* | *' proto 9 '*) ;;
      'row6 1 default '*) leaves_next_hops= ;;
    esac
  done <<BEFORE
$before
BEFORE
}
# Writes drop-ins for one restart. A link that keeps its configuration by its own settings needs none.
keep_on() {
  settings='[Network]
ManageForeignRoutes=no
ManageForeignRoutingPolicyRules=no'
  [ -z "$leaves_next_hops" ] || settings=$settings$newline'ManageForeignNextHops=no'
  mkdir -p "$put_folder" "$networkd_settings" && printf '%s\n' "$settings" >"$networkd_settings/zz-topo-keep.conf" || return
  [ -z "$in_use" ] || while IFS= read -r file; do
    if keeps_all "$file"; then continue; fi
    at=$put_folder/${file##*/}.d
    mkdir -p "$at" && printf '[Network]\nKeepConfiguration=static\n' >"$at/zz-topo-keep.conf" || return
  done <<USED
$in_use
USED
}
keeps_all() {
  keeps=
  for path in "$1" /etc/systemd/network/"${1##*/}".d/*.conf "$put_folder/${1##*/}".d/*.conf; do
    [ -r "$path" ] || continue
    while read -r line; do
      case $line in
        KeepConfiguration*=*)
          case ${line#*=} in
            *yes | *true | *on | *1 | *dhcp) keeps=yes ;;
            *) keeps= ;;
          esac
          ;;
      esac
    done <"$path"
  done
  [ -n "$keeps" ]
}
# Whether a drop-in is there, which is $file then.
is_kept() {
  for file in "$put_folder"/*.d/zz-topo-keep.conf "$networkd_settings/zz-topo-keep.conf"; do
    [ ! -f "$file" ] || return 0
  done
  return 1
}
keep_off() { while is_kept; do remove "$file" || return; done; }
# Until systemd 256: for the moment in which they are missing, each leased address is there with another length as well, with a row for
# its subnet, and each autoconfigured one does not end.
cover_on() {
  [ -z "$keeps_leases" ] || return 0
  leases || return
  [ -z "$got" ] || while read -r device address; do
    host=${address%/*}
    subnet=none
    metric=0
    while IFS= read -r row; do
      case $row in
        'row4 1 '*" dev $device "*' proto 2 '*" src $host "* | 'row4 1 '*" dev $device "*' proto 2 '*" src $host")
          row=${row#row4 1 }
          subnet=${row%% *}
          case $row in *' metric '*) metric=${row##* metric }; metric=${metric%% *} ;; esac
          break
          ;;
      esac
    done <<ROWS
$before
ROWS
    case $address in
      # A host's own prefix leaves no room for another one of the same length.
      */32) cover="$host/31 noprefixroute" ;;
      *) cover=$host/32 ;;
    esac
    printf '%s %s %s %s\n' "$device" "${cover%% *}" "$subnet" "$((metric + 1))" >>"$covers" || return
    # shellcheck disable=SC2086 # split into words on purpose
    ip addr add $cover dev "$device" 2>/dev/null
    [ "$subnet" = none ] || ip route add "$subnet" dev "$device" src "$host" metric "$((metric + 1))" proto boot 2>/dev/null
  done <<LEASES
$got
LEASES
  [ -z "$lifetimes_before" ] || while read -r device address valid preferred flags; do
    # shellcheck disable=SC2086 # split into words on purpose
    case $address in *:*) ip -6 addr change "$address" dev "$device" valid_lft forever preferred_lft forever $flags 2>/dev/null ;; esac
  done <<LIFETIMES
$lifetimes_before
LIFETIMES
}
# Puts the leased addresses of IPv4 into $got: those that end some day, and endless ones that rows from DHCP use as their source.
leases() {
  whole sed "$(printf '%s\n~end\n' "$before" | sed -n -e 's/^row4 .* dev \([^ ]*\) .*proto 16 .*src \([0-9.]*\).*/\1 \2/p' -e '/^~end$/p')" || return
  sources=$newline$got$newline
  leased=$(
    while read -r kind device address; do
      case $kind.$address in
        address.*.*)
          case $newline$lifetimes_before$newline$sources in
            *"$newline$device $address "* | *"$newline$device ${address%/*}$newline"*) printf '%s %s\n' "$device" "$address" ;;
          esac
          ;;
      esac
    done <<BEFORE
$before
BEFORE
    printf '~end\n'
  )
  whole 'ip and sed' "$leased"
}
# Waits until networkd has taken up its links. It drops leased addresses then, which can be after `systemctl restart` has ended, and
# would drop stand-ins that end some day.
wait_for_links() {
  [ -f "$covers" ] || return 0
  read_seconds
  deadline=$((seconds + 5))
  for link in $links; do
    until is_taken_up "$link"; do
      read_seconds
      [ "$seconds" -lt "$deadline" ] || return 0
      sleep 0.05
    done
  done
}
is_taken_up() {
  [ "/run/systemd/netif/links/$1" -nt "$staging/restarted" ] || return
  state_is "$1" configuring || state_is "$1" configured || state_is "$1" failed
}
# Should this script end here, the stand-ins end by themselves.
cover_ends() {
  [ ! -f "$covers" ] || while read -r device address rest; do
    ip addr change "$address" dev "$device" valid_lft 30 preferred_lft 30 2>/dev/null
  done <"$covers"
}
# Waits until all addresses that end some day do so again, and sets the times of before where they do not.
put_back_lifetimes() {
  [ -n "$lifetimes_before" ] || return 0
  read_seconds
  deadline=$((seconds + 5))
  while :; do
    now=
    look_at_addresses || return
    endless=
    while read -r device address rest; do
      case $newline$lifetimes in *"$newline$device $address "*) ;; *) endless=$endless$newline"$device $address $rest" ;; esac
    done <<LIFETIMES
$lifetimes_before
LIFETIMES
    read_seconds
    [ -n "$endless" ] && [ "$seconds" -lt "$deadline" ] || break
    sleep 0.1
  done
  [ -z "$endless" ] || while read -r device address valid preferred flags; do
    [ -n "$device" ] || continue
    passed=$((seconds - looked_at))
    valid=$((valid > passed ? valid - passed : 1))
    preferred=$((preferred > passed ? preferred - passed : 0))
    metric=
    case $newline$before$newline in
      *"${newline}metric $device $address "*)
        metric=${before#*"metric $device $address "}
        metric="metric ${metric%%"$newline"*}"
        ;;
    esac
    # What it does is looked at afterwards.
    # shellcheck disable=SC2086 # split into words on purpose
    ip addr replace "$address" dev "$device" valid_lft "$valid" preferred_lft "$preferred" $flags $metric 2>/dev/null
  done <<ENDLESS
$endless
ENDLESS
}
# Removes stand-ins, also those of a killed run.
cover_off() {
  [ -f "$covers" ] || return 0
  while read -r device address subnet metric; do
    [ "$subnet" = none ] || ip route del "$subnet" dev "$device" metric "$metric" proto boot 2>/dev/null
    ip addr del "$address" dev "$device" 2>/dev/null
  done <"$covers"
  list_of -o 'addr show' || return
  addresses=$answer
  list_of '-o -N -4' 'route show table all proto 3' || return
  while read -r device address subnet metric; do
    case $newline$addresses in
      *": $device "*" inet $address "*) failed "ip addr del $address dev $device" ''; return 1 ;;
    esac
    case $newline$answer in
      *"$newline$subnet dev $device "*" metric $metric "*) failed "ip route del $subnet dev $device" ''; return 1 ;;
    esac
  done <"$covers"
  remove "$covers" || { failed rm "$said"; return 1; }
}
# If networkd leaves next hop objects alone, its next start adds the row of each router again without an object, as soon as it hears the
# router. Waits for that, and removes the row of before, which would stay until it ends.
wait_for_routers() {
  [ -n "$leaves_next_hops" ] || return 0
  read_seconds
  deadline=$((seconds + 4))
  while :; do
    list_of '-o -6 -N' 'route show proto 9' || return
    whole sed "$(printf '%s\n~end\n' "$answer" | sed -n -e 's/^\([^ ]*\) nhid \([0-9]*\) via \([^ ]*\) dev \([^ ]*\) .*metric \([0-9]*\).*/\1 \2 \3 \4 \5/p' -e '/^~end$/p')" || return
    routers=$got
    left=
    [ -z "$routers" ] || while read -r destination id gateway device metric; do
      case $newline$answer in
        *"$newline$destination via $gateway dev $device "*) ip -6 route del "$destination" nhid "$id" metric "$metric" proto 9 2>/dev/null ;;
        *) left=yes ;;
      esac
    done <<ROUTERS
$routers
ROUTERS
    read_seconds
    [ -n "$left" ] && [ "$seconds" -lt "$deadline" ] || break
    sleep 0.1
  done
  [ -n "$routers" ] || return 0
  list_of '-o -6 -N' 'route show table all' || return
  while read -r destination id rest; do
    case $answer in *" nhid $id "*) ;; *) ip nexthop del id "$id" 2>/dev/null ;; esac
  done <<ROUTERS
$routers
ROUTERS
}
# Whether the default route $1 is a router's that networkd has dropped with its next hop object. It comes back with the router's next
# advertisement. Until then there is a static one.
comes_back() {
  [ -n "$keeps_leases" ] && [ -z "$leaves_next_hops" ] || return 1
  while IFS= read -r row; do
    case $row in
      'row6 1 default nhid '*" ${1#default6 1 default } "*' proto 9 '*) return 0 ;;
    esac
  done <<BEFORE
$before
BEFORE
  return 1
}
