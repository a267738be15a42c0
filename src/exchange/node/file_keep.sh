# Keeps what a node has beside topo's routes while systemd-networkd restarts: addresses with their lifetimes, rules, next hops and
# neighbours of others. `KeepConfiguration=yes` alone would make leases endless, and add rules without a priority once more.
covers=/run/topo/covers
newer_networkd() {
  version=$(systemctl --version 2>/dev/null | sed -n '1s/^systemd \([0-9]*\).*/\1/p')
  [ "${version:-0}" -ge 257 ]
}
# Drop-ins for one restart. A link that keeps its configuration by its own settings needs none.
keep_on() {
  [ -d "$put_folder" ] || made_folder=$put_folder
  mkdir -p "$put_folder" "$networkd_settings" || return
  printf '[Network]\nManageForeignRoutes=no\nManageForeignRoutingPolicyRules=no\n' >"$networkd_settings/zz-topo-keep.conf" || return
  if newer_networkd; then
    printf 'ManageForeignNextHops=no\n' >>"$networkd_settings/zz-topo-keep.conf" || return
    kept=static
  else
    kept=$(ip -o -4 addr show dynamic 2>/dev/null | sed -n 's#^[0-9]*: *\([^ ]*\) *inet [^ ]*/32 .*#\1#p' | while read -r device; do
      # Such an address leaves no room for another one that could stand in.
      case $managed in *" $device "*) echo yes; break ;; esac
    done)
    kept=${kept:-static}
  fi
  printf '%s\n' "$in_use" | while IFS= read -r file; do
    if [ -z "$file" ] || cat "$file" /etc/systemd/network/"${file##*/}".d/*.conf "$put_folder/${file##*/}".d/*.conf 2>/dev/null |
      grep -q '^ *KeepConfiguration *= *\(yes\|true\|on\|1\|dhcp\)'; then continue; fi
    mkdir -p "$put_folder/${file##*/}.d" && printf '[Network]\nKeepConfiguration=%s\n' "$kept" >"$put_folder/${file##*/}.d/zz-topo-keep.conf" || exit 1
  done
}
keep_off() {
  for file in "$put_folder"/*.d/zz-topo-keep.conf "$networkd_settings"/zz-topo-keep.conf; do
    [ ! -f "$file" ] || { rm -f "$file"; rmdir "${file%/*}" 2>/dev/null; }
  done
  [ -z "$made_folder" ] || rmdir "$made_folder" 2>/dev/null
}
# Lines `DEVICE ADDRESS VALID PREFERRED FLAGS…` of the addresses of family $1 that end some day, on devices of networkd.
dynamic_addresses() {
  ip -o "-$1" addr show dynamic scope global 2>/dev/null | sed 's/\\//; s/sec / /g; s/sec$//' | while read -r index device family address rest; do
    case $managed in *" $device "*) ;; *) continue ;; esac
    case " $rest " in *' temporary '*) continue ;; esac
    flags=
    for flag in noprefixroute mngtmpaddr home; do
      case " $rest " in *" $flag "*) flags="$flags $flag" ;; esac
    done
    valid=${rest##*valid_lft }
    printf '%s %s %s %s%s\n' "$device" "$address" "${valid%% *}" "${rest##*preferred_lft }" "$flags"
  done
}
# Until systemd 256, networkd drops leased and autoconfigured addresses when it starts, and gets them again a moment later. For this moment,
# each leased address is there as a /32 as well, with a row for its subnet, and each autoconfigured one is permanent.
cover_on() {
  ! newer_networkd || return 0
  if [ "$kept" = static ]; then
    while read -r device address rest; do
      host=${address%/*}
      row=$(ip -o -4 -N route show dev "$device" proto 2 src "$host" 2>/dev/null | head -n 1)
      metric=0
      case $row in *' metric '*) metric=${row##* metric }; metric=${metric%% *} ;; esac
      subnet=${row%% *}
      printf '%s %s %s %s\n' "$device" "$host" "${subnet:-none}" "$((metric + 1))" >>"$covers" || return
      ip addr add "$host/32" dev "$device" 2>/dev/null
      [ -z "$subnet" ] || ip route add "$subnet" dev "$device" src "$host" metric "$((metric + 1))" proto 201 2>/dev/null
    done <"$staging/dynamic4.before"
  fi
  while read -r device address valid preferred flags; do
    # shellcheck disable=SC2086 # split into words on purpose
    ip -6 addr change "$address" dev "$device" valid_lft forever preferred_lft forever $flags 2>/dev/null
  done <"$staging/dynamic6.before"
}
# Should this script end here, the stand-ins end by themselves.
cover_ends() {
  [ ! -f "$covers" ] || while read -r device host rest; do
    ip addr change "$host/32" dev "$device" valid_lft 30 preferred_lft 30 2>/dev/null
  done <"$covers"
}
are_dynamic_again() {
  for family in 4 6; do
    dynamic_addresses "$family" | cut -d ' ' -f 1,2 | sort >"$staging/right"
    cut -d ' ' -f 1,2 "$staging/dynamic$family.before" | sort | comm -23 - "$staging/right" >"$staging/left"
    [ ! -s "$staging/left" ] || return
  done
}
# Waits until all addresses that end some day do so again, and sets the times of before where they do not.
put_back_lifetimes() {
  deadline=$(($(date +%s) + 5))
  until are_dynamic_again || [ "$(date +%s)" -ge "$deadline" ]; do sleep 0.1; done
  passed=$(($(date +%s) - looked_at))
  for family in 4 6; do
    dynamic_addresses "$family" >"$staging/right"
    while read -r device address valid preferred flags; do
      if grep -q "^$device $address " "$staging/right"; then continue; fi
      valid=$((valid > passed ? valid - passed : 1)) preferred=$((preferred > passed ? preferred - passed : 0))
      metric=$(sed -n "s#^$device $address #metric #p" "$staging/metrics.before")
      # shellcheck disable=SC2086 # split into words on purpose
      ip "-$family" addr replace "$address" dev "$device" valid_lft "$valid" preferred_lft "$preferred" $flags $metric 2>/dev/null
    done <"$staging/dynamic$family.before"
  done
}
# Removes stand-ins, also those of a killed run.
cover_off() {
  [ -f "$covers" ] || return 0
  while read -r device host subnet metric; do
    ip route del "$subnet" dev "$device" metric "$metric" proto 201 2>/dev/null
    ip addr del "$host/32" dev "$device" 2>/dev/null
  done <"$covers"
  rm -f "$covers"
  rmdir "${covers%/*}" 2>/dev/null
}
# What others have beside addresses and rows.
look_beside() {
  for family in 4 6; do
    ip -N "-$family" rule show 2>/dev/null | sed -e 's/\t/ /g' -e 's/ \[[a-z]*\]//g' -e 's/ *$//' | sort >"$staging/rules$family.$1"
    dynamic_addresses "$family" >"$staging/dynamic$family.$1"
  done
  ip neigh show nud permanent 2>/dev/null | sed 's/ *$//' | sort >"$staging/neighbours.$1"
  # Those of routers are networkd's own.
  ip -N nexthop show 2>/dev/null | grep -v ' proto \(9\|16\|ra\|dhcp\)\( \|$\)' | sed -e 's/ \(linkdown\|dead\|offload\|trap\)\>//g' -e 's/ scope [^ ]*//' -e 's/ *$//' | sort >"$staging/nexthops.$1"
}
# Only the lines of before that are missing now, as commands of `ip`.
put_back_beside() {
  look_beside now
  for pass in -v -e; do
    comm -23 "$staging/nexthops.before" "$staging/nexthops.now" | grep "$pass" ' group ' | sed 's/^/nexthop replace /'
  done >"$staging/commands"
  comm -23 "$staging/neighbours.before" "$staging/neighbours.now" | sed -e 's/ PERMANENT$//' -e 's/^/neigh replace /' -e 's/$/ nud permanent/' >>"$staging/commands"
  [ ! -s "$staging/commands" ] || ip -force -batch "$staging/commands" >/dev/null 2>&1
  for family in 4 6; do
    comm -23 "$staging/rules$family.before" "$staging/rules$family.now" | sed 's/^\([0-9]*\): */rule add pref \1 /' >"$staging/commands"
    # A rule without a priority that networkd has added again.
    comm -13 "$staging/rules$family.before" "$staging/rules$family.now" | while IFS= read -r rule; do
      if sed 's/^[0-9]*: *//' "$staging/rules$family.before" | grep -q -x -F -e "${rule#*: }"; then
        printf '%s\n' "$rule" | sed 's/^\([0-9]*\): */rule del pref \1 /'
      fi
    done >>"$staging/commands"
    [ ! -s "$staging/commands" ] || ip "-$family" -force -batch "$staging/commands" >/dev/null 2>&1
  done
  look_beside now
}
# networkd 257 has an object of its own for the next hop of a router. With the objects left alone, its next start adds the row of the
# router again without that object, as soon as the router is heard. The row of before would stay until it ends.
drop_doubled_routers() {
  ip -o -6 -N route show proto 9 2>/dev/null |
    sed -n 's/^\([^ ]*\) nhid \([0-9]*\) via \([^ ]*\) dev \([^ ]*\) .*metric \([0-9]*\).*/\1 \2 \3 \4 \5/p' >"$staging/doubled"
  deadline=$(($(date +%s) + 4))
  while read -r destination id gateway device metric; do
    until ip -o -6 -N route show "$destination" proto 9 2>/dev/null | grep -q "^$destination via $gateway dev $device .*metric $metric "; do
      [ "$(date +%s)" -lt "$deadline" ] || continue 2
      sleep 0.1
    done
    ip -6 route del "$destination" nhid "$id" metric "$metric" proto 9 2>/dev/null
    ip -o -6 -N route show table all 2>/dev/null | grep -q " nhid $id " || ip nexthop del id "$id" 2>/dev/null
  done <"$staging/doubled"
}
