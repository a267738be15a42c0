LC_ALL=C
PATH="${PATH:-/usr/bin:/bin}:/usr/sbin:/sbin:/usr/bin:/bin"
export LC_ALL PATH
umask 022
trap '' HUP PIPE
# $1 is SSH_CONNECTION; IPv4 clients of a dual-stack sshd are shown as ::ffff:ADDRESS.
peer=${1:-}
peer=${peer%% *}
peer=${peer#::ffff:}
begin() { printf '\n%s begin %s\n' "$nonce" "$1"; }
end() { printf '\n%s end\n' "$nonce"; }
# Set where a write did not happen, so that the marker stays.
held=
lacking=
for tool in ip cat comm cut head mkdir mv nl rm rmdir sha256sum sort tail tr wc; do
  command -v "$tool" >/dev/null 2>&1 || lacking="$lacking $tool"
done
if [ -z "$lacking" ]; then
  case $(ip -V 2>&1) in
    *iproute2*) ;;
    *) lacking=' iproute2' ;;
  esac
fi
if [ -n "$lacking" ]; then
  begin lacking
  printf '%s\n' "$lacking"
  end
  printf '\n%s done\n' "$nonce"
  exit 0
fi
# All rows of table $1; a table that does not exist yet is empty. Rows from router advertisements count down the seconds of
# their life, which says nothing about the route.
rows() {
  ip -o -d -N -4 route show table "$1" 2>/dev/null
  rows6=$(ip -o -d -N -6 route show table "$1" 2>/dev/null)
  case $rows6 in
    *' expires '*) printf '%s\n' "$rows6" | without_expiry ;;
    *) printf '%s\n' "$rows6" ;;
  esac
}
without_expiry() {
  while IFS= read -r line; do
    case $line in
      *' expires '*) rest="${line#* expires } "; line="${line%% expires *} ${rest#* }" ;;
    esac
    printf '%s\n' "$line"
  done
}
digest() { sha256sum | cut -c 1-16; }
# Splits the rows $1 by the pattern $2 into $ours and $foreign, and takes the digest of each. nl numbers the lines that match
# and puts blanks before the others, so that sorting parts them.
split_rows() {
  parted=$(printf '%s\n' "$1" | nl -w 1 -s ' ' -b "p$2" | sort)
  # nl makes blanks of no rows at all.
  [ -n "$1" ] || parted=
  total=$(printf '%s\n' "$parted" | wc -l)
  count=$(printf '%s\n' "$parted" | cut -c 1 | tr -d ' \n' | wc -c)
  foreign=$(printf '%s\n' "$parted" | head -n "$((total - count))")
  ours=$(printf '%s\n' "$parted" | tail -n "$count" | cut -d ' ' -f 2- | sort)
  ours_digest=$(printf '%s\n' "$ours" | digest)
  foreign_digest=$(printf '%s\n' "$foreign" | digest)
}
# How packets get back to the operator: next hop, device and source address of the answer to `ip route get`, whose other
# words (lifetimes, path MTU) change by themselves.
way() (
  [ -n "$peer" ] || return 0
  set -f
  said=$(ip -o route get "$peer" 2>&1)
  found=
  # shellcheck disable=SC2086 # to be split into words
  set -- $said
  while [ $# -gt 1 ]; do
    case $1 in
      via | dev | src) found="$found $1 $2"; shift ;;
    esac
    shift
  done
  printf '%s\n' "${found:-$said}"
)
