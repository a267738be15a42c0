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
# Puts all rows of table $1 into $rows; a table that does not exist yet is empty. Rows from router advertisements count
# down the seconds of their lifetime, which are not part of the route.
read_rows() {
  rows4=$(ip -o -d -N -4 route show table "$1" 2>/dev/null)
  rows6=$(ip -o -d -N -6 route show table "$1" 2>/dev/null)
  case $rows6 in
    *' expires '*) rows6=$(printf '%s\n' "$rows6" | without_expiry) ;;
  esac
  rows=$rows4${rows4:+$newline}$rows6
}
without_expiry() {
  while IFS= read -r line; do
    case $line in
      *' expires '*) rest="${line#* expires } "; line="${line%% expires *} ${rest#* }" ;;
    esac
    printf '%s\n' "$line"
  done
}
# Splits the rows $1 into $ours (`marked` recognizes them, and the pattern $2 matches them) and $foreign, and takes the
# digest of each. Starting a process costs more than reading a short table. For a long table, nl numbers the matching
# lines and puts spaces before the others, so that sort separates them.
split_rows() {
  ours=
  foreign=
  if [ "${#1}" -gt 20000 ]; then
    parted=$(printf '%s\n' "$1" | nl -w 1 -s ' ' -b "p$2" | sort)
    total=$(printf '%s\n' "$parted" | wc -l)
    count=$(printf '%s\n' "$parted" | cut -c 1 | tr -d ' \n' | wc -c)
    foreign=$(printf '%s\n' "$parted" | head -n "$((total - count))")
    ours=$(printf '%s\n' "$parted" | tail -n "$count" | cut -d ' ' -f 2- | sort)
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
  ours_digest=${digests%"${digests#????????????????}"}
  digests=${digests#*"$newline"}
  foreign_digest=${digests%"${digests#????????????????}"}
}
# The route of packets back to the operator: next hop, device and source address in the answer of `ip route get`. Its
# other words (lifetimes, path MTU) change by themselves.
way() (
  [ -n "$peer" ] || return 0
  set -f
  said=$(ip -o route get "$peer" 2>&1)
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
)
