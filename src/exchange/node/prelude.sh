LC_ALL=C
PATH="${PATH:-/usr/bin:/bin}:/usr/sbin:/sbin:/usr/bin:/bin"
export LC_ALL PATH
umask 022
trap '' HUP PIPE
# $1 is SSH_CONNECTION. A dual-stack sshd shows IPv4 clients as ::ffff:ADDRESS.
peer=${1:-}
peer=${peer%% *}
peer=${peer#::ffff:}
begin() { printf '\n%s begin %s\n' "$nonce" "$1"; }
end() { printf '\n%s end\n' "$nonce"; }
# Set if a write did not happen, so that the marker stays.
held=
newline='
'
# Says that the command $1 failed, with its last words $2. Nothing else in this part of the answer counts then.
failed() {
  held=yes
  printf '\nfailed %s\n|%.300s\n' "$1" "${2##*"$newline"}"
}
# Asks `ip` with the options $1 the questions $2, one a line, and puts what it says into $answer and how it ends into
# $status. The last question is for the loopback device. Every machine has it, so without an answer to it something cut
# the answers off, and nothing is known. In a batch, a table that does not exist is no error.
ask() {
  # shellcheck disable=SC2086 # split into words on purpose
  answer=$(ip $1 -batch - 2>&1 <<QUESTIONS
$2
link show dev lo
QUESTIONS
)
  status=$?
  answer=$newline$answer
  whole=${#answer}
  answer=${answer%"${newline}1: lo: <"*}
  [ "${#answer}" -lt "$whole" ] || return 1
  answer=${answer#"$newline"}
}
# Whether $1 are the kernel's words for "no route leads there". Any other error means that the kernel did not answer.
is_no_route() {
  case $1 in
    'RTNETLINK answers: Network is unreachable' | 'RTNETLINK answers: No route to host') ;;
    'RTNETLINK answers: Invalid argument' | 'RTNETLINK answers: Permission denied') ;;
    'RTNETLINK answers: Invalid cross-device link') ;;
    *) return 1 ;;
  esac
}
# Asks for the kernel's way to addresses: $1 has a `route get` for each, and questions for devices behind them. Fails where the
# kernel did not answer one of them. $2 are more options for ip.
ask_ways() {
  if ! ask "-force -o ${2:-}" "$1"; then
    failed 'ip route get' "$answer"
    return 1
  fi
  [ "$status" -ne 0 ] || return 0
  while IFS= read -r line; do
    case $line in
      *' dev '* | 'Command failed -:'* | 'unreachable '* | 'prohibit '* | 'blackhole '*) continue ;;
      'inet'*' forwarding '* | [0-9]*': '*': <'*) continue ;;
    esac
    if ! is_no_route "$line"; then
      failed 'ip route get' "$line"
      return 1
    fi
  done <<ANSWERS
$answer
ANSWERS
}
# Puts all rows of table $1 into $rows. Rows with a lifetime, as from router advertisements, count down its seconds, which
# are not part of the route. A kernel without IPv6 has no rows of it.
read_rows() {
  rows6=
  if ! ask '-o -d -N -4' "route show table $1" || [ "$status" -ne 0 ]; then
    failed "ip -4 route show table $1" "$answer"
    return 1
  fi
  rows4=$answer
  if [ -d /proc/sys/net/ipv6 ]; then
    if ! ask '-o -d -N -6' "route show table $1" || [ "$status" -ne 0 ]; then
      failed "ip -6 route show table $1" "$answer"
      return 1
    fi
    rows6=$answer
  fi
  case $rows6 in
    *' expires '*) rows6=$(printf '%s\n' "$rows6" | without_expiry) ;;
  esac
  rows=$rows4${rows4:+${rows6:+$newline}}$rows6
}
without_expiry() {
  while IFS= read -r line; do
    case $line in
      *' expires '*) rest="${line#* expires } "; line="${line%% expires *} expires ${rest#* }" ;;
    esac
    printf '%s\n' "$line"
  done
}
# Tells of the next hops behind devices that do not use them: the kind of their link is none (ARPHRD_NONE), as WireGuard's. $1 are
# rows or answers, and $2 is what stands before the next hop in them. The mark shows that sed read all of it.
tell_tunnels() {
  for device in /sys/class/net/*/type; do
    kind=
    [ ! -r "$device" ] || read -r kind <"$device"
    [ "$kind" = 65534 ] || continue
    device=${device%/type}
    device=${device##*/}
    case $device in *[!A-Za-z0-9_.:@-]*) continue ;; esac
    case $1 in *" dev $device "*) ;; *) continue ;; esac
    behind=$(printf '%s\n~end\n' "$1" | sed -n -e "s/$2\([0-9a-f.:]*\)\( from ::\)\{0,1\} dev $device .*/tunnel $device \1/p" -e '/^~end$/p')
    case $newline$behind in
      *"$newline~end") printf '%s' "${behind%'~end'}" ;;
      *) failed sed "$behind" ;;
    esac
  done
}
# Splits the rows $1 into $ours (`marked` recognizes them, and the pattern $2 matches them) and $foreign, and takes the
# digest of each. Starting a process costs more than reading a short table. Both parts of a long table together are as long
# as the table, or a process failed.
split_rows() {
  ours=
  foreign=
  if [ "${#1}" -gt 20000 ]; then
    ours=$(printf '%s\n' "$1" | grep -e "$2")
    foreign=$(printf '%s\n' "$1" | grep -v -e "$2")
    both=$ours${ours:+${foreign:+$newline}}$foreign
    if [ "${#both}" -ne "${#1}" ]; then
      failed "grep '$2'" ''
      return 1
    fi
  else
    rest=$1$newline
    while [ -n "$rest" ]; do
      line=${rest%%"$newline"*}
      rest=${rest#*"$newline"}
      if [ -z "$line" ]; then
        continue
      elif marked "$line"; then
        ours=$ours${ours:+$newline}$line
      else
        foreign=$foreign${foreign:+$newline}$line
      fi
    done
  fi
  digests=$(sha256sum /dev/fd/3 /dev/fd/4 3<<OURS 4<<FOREIGN
$ours
OURS
$foreign
FOREIGN
)
  case ${#digests}:$digests in
    "151:"*"  /dev/fd/3$newline"*"  /dev/fd/4") ;;
    *)
      failed sha256sum "$digests"
      return 1
      ;;
  esac
  ours_digest=${digests%"${digests#????????????????}"}
  digests=${digests#*"$newline"}
  foreign_digest=${digests%"${digests#????????????????}"}
}
# Puts what differs between the rows $1 and $2 into $differences, as `comm -3` prints it. The mark is behind all rows, and
# only in the second list.
compare_rows() {
  first=$(printf '%s\n' "$1" | sort)
  second=$(printf '%s\n' "$2" | sort)
  differences=
  if [ "${#first}.${#second}" = "${#1}.${#2}" ]; then
    differences=$(comm -3 /dev/fd/3 /dev/fd/4 3<<FIRST 4<<SECOND
$first
FIRST
$second
~end
SECOND
)
  fi
  case $newline$differences in
    *"$newline	~end") differences=${differences%"	~end"} ;;
    *)
      failed 'sort and comm' ''
      return 1
      ;;
  esac
}
# The route of packets back to the operator: next hop, device and source address in the answer of `ip route get`. Its
# other words (lifetimes, path MTU) change by themselves. Fails where the kernel does not answer.
way() (
  [ -n "$peer" ] || return 0
  set -f
  said=$(ip -o route get "$peer" 2>&1)
  status=$?
  found=
  # shellcheck disable=SC2086 # split into words on purpose
  set -- $said
  while [ $# -gt 1 ]; do
    case $1 in
      via | dev | src) found="$found $1 $2"; shift ;;
    esac
    shift
  done
  printf '%s\n' "${found:-$said}"
  [ "$status.${found:+found}" = 0.found ] || is_no_route "$said"
)
