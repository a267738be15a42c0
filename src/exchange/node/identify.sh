begin identity
machine=
if [ -e /etc/machine-id ]; then
  [ -r /etc/machine-id ] || failed 'cat /etc/machine-id' ''
  read -r machine </etc/machine-id
fi
printf 'machine %s\npeer %s\n' "$machine" "$peer"
# The user in whose name this runs, unless that is root. Linux has it in the second of four numbers (proc_pid_status(5)).
effective=
while read -r word user effective rest; do
  if [ "$word" = Uid: ]; then
    [ "$effective" = 0 ] || printf 'user %s\n' "$effective"
    break
  fi
done </proc/self/status
[ -n "$effective" ] || failed 'cat /proc/self/status' ''
# Every machine in Azure has this asset tag.
chassis=
[ -r /sys/class/dmi/id/chassis_asset_tag ] && read -r chassis </sys/class/dmi/id/chassis_asset_tag
[ "$chassis" = 7783-7084-3265-9085-8269-3286-77 ] && printf 'in azure\n'
if [ -d /etc/topo ] && [ ! -r /etc/topo ]; then failed 'ls /etc/topo' ''; fi
for file in /etc/topo/*; do
  # Without a valid name of a topology it is not a marker, and could look like another line.
  case ${file##*/} in *[!A-Za-z0-9._-]*) continue ;; esac
  [ -f "$file" ] || continue
  [ -r "$file" ] || failed "cat $file" ''
  lines=
  while [ "${#lines}" -lt 300 ] && read -r line; do lines="$lines $line"; done <"$file"
  printf 'marker %s%.300s\n' "${file##*/}" "$lines"
done
for file in /etc/resolv.conf /run/systemd/resolve/resolv.conf; do
  [ -r "$file" ] || continue
  while read -r word value rest; do
    [ "$word" = nameserver ] && printf 'resolver %s\n' "$value"
  done <"$file"
done
devices=
# Tells what the answer says. $1 are the rules that the kernel has by itself. Only where there are others, topo has to know the
# rules, and the devices of the addresses.
tell_addresses() {
  rules=
  separators=$IFS
  IFS=$newline
  set -f
  for line in $answer; do
    case $line in
      '1 default '*) printf '%s\n' "${line#1 }" ;;
      [0-9]*': '*' inet'*)
        device=${line#*": "}
        line=${line#*" inet"}
        address=${line#* }
        printf 'inet%s %s\n' "${line%% *}" "${address%% *}"
        devices="${devices}on ${device%% *} ${address%% *}$newline"
        ;;
      [0-9]*':	'*)
        # With -d it says who made the rule.
        line=${line%" proto "*}
        rules="${rules}rule $1 ${line%" "}$newline"
        ;;
    esac
  done
  set +f
  IFS=$separators
  [ -z "$rules" ] || [ "$rules" = "$2" ] || printf '%s' "$rules$devices"
}
# Whether all was answered. A kernel that has no rules says so to question $1, which is the last one.
is_answered() {
  [ "$status" -ne 0 ] || return 0
  end="${newline}Dump terminated${newline}Command failed -:$1"
  case $answer in
    *'Command failed -:'*'Command failed -:'*) return 1 ;;
    *"$end") said=${answer%"$end"} && is_not_in_kernel "${said##*"$newline"}" ;;
    *) return 1 ;;
  esac
}
if hear 4 1 '-force -o -d -N' "addr show${newline}route show default${newline}rule show" && is_answered 3; then
  tell_addresses 4 "rule 4 0:	from all lookup 255${newline}rule 4 32766:	from all lookup 254${newline}rule 4 32767:	from all lookup 253$newline"
else
  failed 'ip addr show' "$answer"
fi
[ -n "$ipv6" ] || note_ipv6
if [ "$ipv6" = yes ]; then
  if hear 6 1 '-force -o -d -N -6' "route show default${newline}rule show" && is_answered 2; then
    tell_addresses 6 "rule 6 0:	from all lookup 255${newline}rule 6 32766:	from all lookup 254$newline"
  else
    failed 'ip -6 route show default' "$answer"
  fi
fi
end
