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
# The same where no single command failed: $1 is what could not be done.
failed_to() {
  held=yes
  printf '\nfailed-to %s\n|%.300s\n' "$1" "${2##*"$newline"}"
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
# Whether $1 are the kernel's words for a dump of what it was built without: IPv6, rules, next hop objects.
is_not_in_kernel() {
  case $1 in
    'RTNETLINK answers: Operation not supported' | 'RTNETLINK answers: Address family not supported by protocol') ;;
    *) return 1 ;;
  esac
}
# Asks in one process of `ip` what `hear` is about to ask, because its start costs more than the answers. $1 is 4, or 6 for the option
# -6. Each part of the questions $2 ends with the one for the loopback device. Puts the answers to these parts into $part4_1, $part4_2
# and so on, or $part6_1, and their number into $gathered4 or $gathered6. Where something cut the answers off, or where there is
# too much for the shell, `hear` asks once more. Puts all that `ip` says into $all.
gather() {
  family=
  [ "$1" = 4 ] || family=-6
  # shellcheck disable=SC2086 # none, or one word
  all=$(ip $family -force -o -d -N -batch - 2>&1 <<QUESTIONS
$2
QUESTIONS
)
  parts=0
  part=
  if [ "${#all}" -le 20000 ]; then
    separators=$IFS
    IFS=$newline
    set -f
    for line in $all; do
      case $line in
        '1: lo: <'*)
          parts=$((parts + 1))
          eval "part$1_$parts=\$part"
          part=
          ;;
        *) part=$part${part:+$newline}$line ;;
      esac
    done
    set +f
    IFS=$separators
  fi
  eval "gathered$1=$parts"
  all=$newline$all
}
gathered4=0
gathered6=0
# Like `ask` with the options $3 and the questions $4, but takes the answer from part $2 of what was gathered for family $1.
hear() {
  eval "parts=\$gathered$1"
  if [ "${2:-0}" -eq 0 ] || [ "$2" -gt "$parts" ]; then
    ask "$3" "$4"
    return
  fi
  eval "answer=\$part$1_$2"
  status=0
  case $answer in *'Command failed -:'*) status=1 ;; esac
}
# Asks for the kernel's way to addresses: $1 has a `route get` for each, and questions for devices behind them. Fails where the
# kernel did not answer one of them. $2 are more options for ip, and $3 is the part of what was gathered.
ask_ways() {
  if ! hear 4 "${3:-}" "-force -o ${2:-}" "$1"; then
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
# Whether the kernel has rows of IPv6 beside those for links and for the loopback device. In this file, each row has destination,
# source, next hop and others, in hexadecimal digits without colons (rt6_info_route of Linux).
uses_ipv6() {
  [ -d /proc/sys/net/ipv6 ] || return
  [ -r /proc/net/ipv6_route ] || return 0
  none=00000000000000000000000000000000
  while read -r destination length source source_length next_hop metric rest; do
    case $next_hop.$destination.$length.$metric in
      "$none".fe[89ab]* | "$none".ff* | "$none.${none%0}1.80."*) ;;
      # What the kernel has where it has no default route.
      "$none.$none.00.ffffffff") ;;
      *) return 0 ;;
    esac
  done </proc/net/ipv6_route
  return 1
}
# Notes in $ipv6 whether to ask for IPv6 in what follows. Else it is looked up each time.
ipv6=
note_ipv6() {
  ipv6=no
  ! uses_ipv6 || ipv6=yes
}
# Puts all rows of table $1 into $rows, from part $2 of what was gathered. Rows with a lifetime, as from router advertisements, count
# down its seconds, which are not part of the route.
read_rows() {
  rows6=
  if ! hear 4 "${2:-}" '-o -d -N -4' "route show table $1" || [ "$status" -ne 0 ]; then
    failed "ip -4 route show table $1" "$answer"
    return 1
  fi
  rows4=$answer
  if [ "$ipv6" = yes ] || { [ -z "$ipv6" ] && uses_ipv6; }; then
    if ! hear 6 "${2:-}" '-o -d -N -6' "route show table $1" || [ "$status" -ne 0 ]; then
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
# Splits the rows $1 into $ours (`marked` recognizes them, and the pattern $2 matches them) and $foreign. Starting a process costs more
# than reading a short table. Both parts of a long table together are as long as the table, or a process failed.
part_rows() {
  ours=
  foreign=
  if [ "${#1}" -gt 20000 ]; then
    ours=$(printf '%s\n' "$1" | grep -e "$2")
    foreign=$(printf '%s\n' "$1" | grep -v -e "$2")
    both=$ours${ours:+${foreign:+$newline}}$foreign
    if [ "${#both}" -ne "${#1}" ]; then
      failed_to 'read a long table with grep' ''
      return 1
    fi
    return
  fi
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
}
# Takes the digests of $ours and $foreign.
digest_rows() {
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
split_rows() { part_rows "$1" "$2" && digest_rows; }
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
      failed_to 'compare the routes of before and after with sort and comm' ''
      return 1
      ;;
  esac
}
# Puts the route of packets back to the operator into $way: next hop, device and source address in the answer of `ip route get`, which
# is part $1 of what was gathered. Its other words (lifetimes, path MTU) change by themselves. Fails where the kernel does not answer.
find_way() {
  way=
  [ -n "$peer" ] || return 0
  hear 4 "${1:-}" '-force -o -d -N' "route get $peer" || { way=$answer; return 1; }
  words_of_way "$answer"
  [ -z "$way" ] || [ "$status" -ne 0 ] || return 0
  way=${answer%%"$newline"*}
  is_no_route "$way"
}
words_of_way() {
  set -f
  # shellcheck disable=SC2086 # split into words on purpose
  set -- $1
  set +f
  while [ $# -gt 1 ]; do
    case $1 in
      via | dev | src) way="$way $1 $2"; shift ;;
    esac
    shift
  done
}
way() {
  find_way
  answered=$?
  printf '%s\n' "$way"
  return "$answered"
}
