begin identity
machine=
if [ -e /etc/machine-id ]; then
  [ -r /etc/machine-id ] || failed 'cat /etc/machine-id' ''
  read -r machine </etc/machine-id
fi
printf 'machine %s\npeer %s\n' "$machine" "$peer"
# The user in whose name this runs, unless that is root. Linux has it in the second of four numbers (proc_pid_status(5)).
while read -r word user effective rest; do
  if [ "$word" = Uid: ]; then
    [ "$effective" = 0 ] || printf 'user %s\n' "$effective"
    break
  fi
done </proc/self/status
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
tell_addresses() {
  while IFS= read -r line; do
    case $line in
      'default '*) printf '%s\n' "$line" ;;
      [0-9]*': '*' inet'*)
        line=${line#*" inet"}
        address=${line#* }
        printf 'inet%s %s\n' "${line%% *}" "${address%% *}"
        ;;
    esac
  done <<ANSWER
$answer
ANSWER
}
if ask '-o -N' "addr show${newline}route show default" && [ "$status" -eq 0 ]; then
  tell_addresses
else
  failed 'ip addr show' "$answer"
fi
if [ -d /proc/sys/net/ipv6 ]; then
  if ask '-o -N -6' 'route show default' && [ "$status" -eq 0 ]; then
    tell_addresses
  else
    failed 'ip -6 route show default' "$answer"
  fi
fi
end
