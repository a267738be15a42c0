# All that a restart of systemd-networkd could take from others is in one list. Each line begins with its kind:
#   row4, row6          row of the kernel, without the parts that change by themselves
#   default4, default6  beginning of a default route
#   rule4, rule6        rule with its priority
#   address             device of networkd, and address
#   metric              the same, and the metric of the row for its subnet
#   ends                device and address, where the address ends some day
#   neighbour           permanent neighbour
#   nexthop             next hop object, except those that networkd makes for routers
# A run that was killed leaves the list of before here. The next run puts back what is missing.
note_of_others=/run/topo/.before
# Puts the seconds since boot into $seconds.
read_seconds() {
  read -r seconds rest </proc/uptime
  seconds=${seconds%%.*}
}
# Asks `ip` with the options $1 for the list $2. A kernel that has no such things says so.
list_of() {
  if ask "-force $1" "$2"; then
    [ "$status" -ne 0 ] || return 0
    case $answer in
      *'Command failed -:'*'Command failed -:'*) ;;
      *'Command failed -:1')
        if is_not_in_kernel "${answer%%"$newline"*}"; then
          answer=
          return 0
        fi
        ;;
    esac
  fi
  failed "ip $1 $2" "$answer"
  return 1
}
# Puts what is in the list now into $now, and into $lifetimes the addresses that end some day: device, address, seconds that it is
# valid and preferred, and flags.
look_now() {
  now=
  for family in 4 6; do
    [ "$family" = 4 ] || [ -d /proc/sys/net/ipv6 ] || continue
    list_of "-o -d -N -$family" 'route show table all' || return
    # networkd numbers its next hops anew.
    whole sed "$(printf '%s\n~end\n' "$answer" | sed -e '/^~end$/b' -e '/^$/d' -e '/^[[:space:]]*nh_info /d' -e 's/\\//g' \
      -e 's/ expires -\{0,1\}[0-9]*sec//' -e 's/ error -\{0,1\}[0-9]*//' \
      -e 's/ \(linkdown\|dead\|offload\|offload_failed\|trap\|rt_offload\|rt_trap\|cache\)\>//g' \
      -e 's/[[:space:]][[:space:]]*/ /g' -e 's/ $//' -e "s/^/row$family /" -e p \
      -e "/^row$family 1 default .*dev /!d" -e 's/ nhid [0-9]*//' -e "s/^row$family \(1 default .*dev [^ ]*\).*/default$family \1/")" || return
    now=$now${now:+$newline}$got
    list_of "-N -$family" 'rule show' || return
    whole sed "$(printf '%s\n~end\n' "$answer" | sed -e '/^~end$/b' -e '/^$/d' -e 's/[[:space:]][[:space:]]*/ /g' -e 's/ \[[a-z]*\]//g' -e 's/ $//' -e "s/^/rule$family /")" || return
    now=$now${now:+${got:+$newline}}$got
  done
  list_of '' 'neigh show nud permanent' || return
  whole sed "$(printf '%s\n~end\n' "$answer" | sed -e '/^~end$/b' -e '/^$/d' -e 's/ PERMANENT *$//' -e 's/^/neighbour /')" || return
  now=$now${now:+${got:+$newline}}$got
  list_of -N 'nexthop show' || return
  whole sed "$(printf '%s\n~end\n' "$answer" | sed -e '/^~end$/b' -e '/^$/d' -e '/ proto \(9\|16\)\( \|$\)/d' \
    -e 's/ \(linkdown\|dead\|offload\|trap\)\>//g' -e 's/ scope [^ ]*//' -e 's/ *$//' -e 's/^/nexthop /')" || return
  now=$now${now:+${got:+$newline}}$got
  look_at_addresses || return
  whole sort "$(printf '%s\n~end\n' "$now" | sort -u)" && now=$got && live_rows
}
look_at_addresses() {
  list_of -o 'addr show' || return
  lifetimes=
  while read -r index device family address rest; do
    case $family in inet | inet6) ;; *) continue ;; esac
    case $managed in *" $device "*) ;; *) continue ;; esac
    now=$now$newline"address $device $address"
    case $family.$rest in
      'inet.metric '*)
        metric=${rest#metric }
        now=$now$newline"metric $device $address ${metric%% *}"
        ;;
    esac
    # A point-to-point address has no length of its own. The kernel makes temporary addresses by itself.
    case $rest in 'peer '* | *' temporary '*) continue ;; esac
    case $rest in *'scope global '*) ;; *) continue ;; esac
    case $rest in *' dynamic '*) ;; *) continue ;; esac
    flags=
    for flag in noprefixroute mngtmpaddr home; do
      case " $rest " in *" $flag "*) flags="$flags $flag" ;; esac
    done
    valid=${rest##*valid_lft }
    preferred=${rest##*preferred_lft }
    now=$now$newline"ends $device $address"
    lifetimes=$lifetimes${lifetimes:+$newline}"$device $address ${valid%%sec*} ${preferred%%sec*}$flags"
  done <<ADDRESSES
$answer
ADDRESSES
}
# Puts the devices that networkd manages into $managed.
read_managed() {
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
}
# What is there before the load.
look_before() {
  read_managed
  our_destinations=$(printf '%s\n' "$rows_present" "$rows_of_output" "$rows_wanted" | while read -r destination rest; do printf '%s\n' "$destination"; done)
  look_now || return
  before=$now
  live_before=$live
  lifetimes_before=$lifetimes
  read_seconds
  looked_at=$seconds
  run_before=$(invocation) || { failed "readlink $unit" "$run_before"; return 1; }
  way_before=$(way) || { failed "ip route get $peer" "$way_before"; return 1; }
}
# Notes what is there before the load, for the next run if something ends this one.
note_others() {
  said=$({
    {
      printf 'run %s\nat %s\n' "$run_before" "$looked_at"
      printf '%s\n' "$our_destinations" | while read -r destination; do printf 'ours %s\n' "$destination"; done
      [ -z "$lifetimes_before" ] || while IFS= read -r line; do printf 'time %s\n' "$line"; done <<TIMES
$lifetimes_before
TIMES
      printf '%s\n~end\n' "$before"
    } >"$note_of_others.new" && mv -f "$note_of_others.new" "$note_of_others"
  } 2>&1)
}
# Puts the lines of kind $1 of what a killed run noted into $got, without the kind.
noted() { whole sed "$(sed -n -e "s/^$1 //p" -e '/^~end$/p' "$note_of_others" 2>&1)"; }
# Puts back what a killed run has lost: the times of addresses, and the rest if networkd has restarted since. Others may have changed
# much after a longer time.
recover_others() {
  [ -f "$note_of_others" ] || return 0
  noted run && run_before=$got && noted at || return
  looked_at=$got
  read_seconds
  runs_as=$(invocation) || { failed "readlink $unit" "$runs_as"; return 1; }
  if [ "$((seconds - looked_at))" -lt 3600 ]; then
    read_managed
    noted ours && our_destinations=$got && noted time && lifetimes_before=$got || return
    whole sed "$(sed -e '/^\(run\|at\|ours\|time\) /d' "$note_of_others" 2>&1)" || return
    before=$got
    read_version && read_next_hops && put_back_lifetimes && cover_off || return
    [ "$runs_as" = "$run_before" ] || put_back_others || return
  fi
  forget_others
}
forget_others() { remove "$note_of_others" "$note_of_others.new" || { failed rm "$said"; return 1; }; }
# Whether $1 is a row of others that networkd could have deleted: not topo's, not the kernel's, not from a router or a lease, and not on a
# device that networkd does not manage.
is_row_of_others() {
  case $1 in *' proto 2 '* | *' proto 9 '* | *' proto 16 '*) return 1 ;; esac
  if marked "$1 "; then return 1; fi
  destination=${1#* }
  case "$newline$our_destinations$newline" in *"$newline${destination%% *}$newline"*) return 1 ;; esac
  case $1 in
    [6789]\ *) ;;
    *' dev '*)
      device=${1#* dev }
      case $managed in *" ${device%% *} "*) ;; *) return 1 ;; esac
      ;;
  esac
}
# Whether the default route $1 came with a lease, and its device has another one from a lease now.
is_of_old_lease() {
  has_row "$before" "row4 ${1#* } " && has_row "$now" 'row4 1 default via ' " dev ${1##* dev } "
}
# Whether the list $1 has a row from a lease that begins with $2 and has the words $3.
has_row() {
  while IFS= read -r row; do
    case $row in
      "$2"*'proto 16 '*) case $row in *"${3:-}"*) return 0 ;; esac ;;
    esac
  done <<ROWS
$1
ROWS
  return 1
}
# Puts the lines of the list of before that are missing now into $lost, without those that do not matter.
read_lost() {
  only "$before" "$now" || return
  lost=
  [ -n "$got" ] || return 0
  lost=$(
    while IFS= read -r line; do
      case $line in
        row[46]*) is_row_of_others "${line#* }" || continue ;;
        default4*) ! is_of_old_lease "$line" || continue ;;
        default6*) ! comes_back "$line" || continue ;;
      esac
      printf '%s\n' "$line"
    done <<LOST
$got
LOST
  )
}
# Puts into $wrong what $lost means with the file loaded.
tell_lost() {
  first=${lost%%"$newline"*}
  count_lines "$lost"
  rest=
  [ "$count" -eq 1 ] || rest=", and $((count - 1)) more"
  case $first in
    address*) wrong="With the file loaded, this address no longer exists: ${first#* }$rest" ;;
    default*) wrong="With the file loaded, this default route no longer exists: ${first#* }$rest" ;;
    row*) wrong="With the file loaded, this route of others no longer exists, and topo cannot restore it: ${first#* }$rest" ;;
    ends*) wrong="With the file loaded, this address would not end any more when its lease ends: ${first#* }$rest" ;;
    *) wrong="With the file loaded, this no longer exists, and topo cannot restore it: $first$rest" ;;
  esac
}
# Prints commands that put back $lost, each behind its place in their order and its address family.
commands_for_lost() {
  while read -r kind rest; do
    case $kind in
      nexthop)
        case $rest in
          *' group '*) printf '2 4 nexthop replace %s\n' "$rest" ;;
          *) printf '1 4 nexthop replace %s\n' "$rest" ;;
        esac
        ;;
      neighbour) printf '3 4 neigh replace %s nud permanent\n' "$rest" ;;
      rule4 | rule6) printf '3 %s rule add pref %s %s\n' "${kind#rule}" "${rest%%:*}" "${rest#*: }" ;;
      # If an address is missing after the load, the old file comes back first.
      address) [ -z "$goes_back" ] || printf '3 4 addr add %s dev %s\n' "${rest#* }" "${rest%% *}" ;;
      metric) printf '3 4 addr change %s\n' "$(address_with "$rest")" ;;
      row4 | row6)
        number=${rest%% *}
        rest=${rest#* }
        set -- none unicast local broadcast anycast multicast blackhole unreachable prohibit throw
        [ "$number" -lt 10 ] || continue
        shift "$number"
        # The next hops of an object stand behind it.
        case $rest in *' nhid '*) rest=$(without_next_hops "$rest") ;; esac
        # Others need rows without a next hop.
        case $rest in
          *' via '* | *' nhid '*) printf '5 %s route add %s %s\n' "${kind#row}" "$1" "$rest" ;;
          *) printf '4 %s route add %s %s\n' "${kind#row}" "$1" "$rest" ;;
        esac
        ;;
    esac
  done <<LOST
$lost
LOST
}
# Prints the words behind `addr change` for DEVICE ADDRESS METRIC.
address_with() {
  lifetime='valid_lft forever preferred_lft forever'
  while read -r device address valid preferred flags; do
    [ "$device $address" != "${1% *}" ] || lifetime="valid_lft $valid preferred_lft $preferred $flags"
  done <<LIFETIMES
$lifetimes
LIFETIMES
  device=${1%% *}
  address=${1#* }
  printf '%s dev %s metric %s %s\n' "${address% *}" "$device" "${address#* }" "$lifetime"
}
without_next_hops() {
  words=
  # shellcheck disable=SC2086 # split into words on purpose
  set -- $1
  while [ $# -gt 0 ]; do
    case $1 in
      via | dev | weight) shift ;;
      nexthop) ;;
      *) words="$words $1" ;;
    esac
    shift
  done
  printf '%s\n' "${words# }"
}
# Prints commands that remove the rules in $more which networkd has added once more. It does that with rules without a priority.
commands_for_doubled_rules() {
  [ -z "$more" ] || while read -r kind rest; do
    case $kind in rule4 | rule6) ;; *) continue ;; esac
    while read -r kind_before rest_before; do
      [ "$kind ${rest#*: }" = "$kind_before ${rest_before#*: }" ] || continue
      printf '0 %s rule del pref %s %s\n' "${kind#rule}" "${rest%%:*}" "${rest#*: }"
      break
    done <<BEFORE
$before
BEFORE
  done <<NOW
$more
NOW
}
# Prints commands that remove rows of a lease which has another gateway since the restart: systemd 257 does not know its rows of before.
commands_for_old_leases() {
  [ -z "$more" ] || while read -r kind number destination via gateway dev device rest; do
    case $kind.$via.$dev.$rest in row4.via.dev.*'proto 16 '*' metric '*) ;; *) continue ;; esac
    while IFS= read -r row; do
      case $row in
        "row4 $number $destination via "*" dev $device "*'proto 16 '*" metric ${rest##* metric }") printf '0 4 route del %s\n' "${row#"row4 $number "}" ;;
      esac
    done <<NOW
$kept
NOW
  done <<MORE
$more
MORE
}
# Puts back what is missing, and notes rows of others in $restored. Looks afterwards.
put_back_others() {
  # systemd 252 can drop an autoconfigured address once more when it hears the router.
  put_back_lifetimes && wait_for_routers && look_now && read_lost || return
  rows_lost=$(printf '%s\n' "$lost" | while read -r kind rest; do case $kind in row[46]) printf '%s\n' "$rest" ;; esac; done)
  [ -z "$rows_lost" ] || restored=$restored${restored:+$newline}$rows_lost
  only "$now" "$before" || return
  more=$got
  common "$now" "$before" || return
  kept=$got
  whole sort "$({ commands_for_doubled_rules; commands_for_old_leases; commands_for_lost; printf '~end\n'; } | sort -s -k 1,1)" || return
  [ -n "$got" ] || return 0
  commands=$got
  for family in 4 6; do
    whole sed "$(printf '%s\n~end\n' "$commands" | sed -n -e "s/^[0-9] $family //p" -e '/^~end$/p')" || return
    # What it does is looked at afterwards.
    [ -z "$got" ] || printf '%s\n' "$got" | ip "-$family" -force -batch - >/dev/null 2>&1
  done
  look_now
}
