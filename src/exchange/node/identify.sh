begin identity
machine=
[ -r /etc/machine-id ] && read -r machine </etc/machine-id
printf 'machine %s\npeer %s\n' "$machine" "$peer"
# Every machine in Azure has this asset tag.
chassis=
[ -r /sys/class/dmi/id/chassis_asset_tag ] && read -r chassis </sys/class/dmi/id/chassis_asset_tag
[ "$chassis" = 7783-7084-3265-9085-8269-3286-77 ] && printf 'in azure\n'
for file in /etc/topo/*; do
  # Without a valid name of a topology it is not a marker, and could look like another line.
  case ${file##*/} in *[!A-Za-z0-9._-]*) continue ;; esac
  [ -f "$file" ] && printf 'marker %s %s\n' "${file##*/}" "$(head -c 200 "$file" | tr '\n' ' ')"
done
for file in /etc/resolv.conf /run/systemd/resolve/resolv.conf; do
  [ -r "$file" ] || continue
  while read -r word value rest; do
    [ "$word" = nameserver ] && printf 'resolver %s\n' "$value"
  done <"$file"
done
ip -o -N addr show 2>/dev/null | while read -r index device family address rest; do
  printf '%s %s\n' "$family" "$address"
done
ip -o -N -4 route show default 2>/dev/null
ip -o -N -6 route show default 2>/dev/null
end
