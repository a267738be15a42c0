if command -v netplan >/dev/null 2>&1; then
  version=$(dpkg-query -W -f '${Version}' netplan.io 2>/dev/null)
  printf 'netplan %s\n' "${version:-unknown}"
fi
if systemctl is-active --quiet systemd-networkd 2>/dev/null; then printf 'networkd\n'; fi
[ "$pending" = no ] || printf 'pending\n'
devices=' '
for device in /sys/class/net/*/ifindex; do
  index=
  read -r index 2>/dev/null <"$device"
  device=${device%/ifindex}
  devices="$devices$index:${device##*/} "
done
for link in /run/systemd/netif/links/*; do
  [ -f "$link" ] || continue
  device=${devices#*" ${link##*/}:"}
  [ "$device" != "$devices" ] || continue
  file=
  while IFS= read -r line; do
    case $line in NETWORK_FILE=*) file=${line#*=} ;; esac
  done 2>/dev/null <"$link"
  printf 'link %s %s\n' "${device%% *}" "$file"
done
# The dot protects the last line break.
our_files | while IFS= read -r path; do
  printf 'file %s %s\n' "$(stat -L -c %a "$path")" "$path"
  { head -c 1048576 "$path"; printf .; } | sed 's/^/|/'
  printf '\n'
done
# The definitions in all netplan files, without deeper levels.
if [ "$form" = netplan ]; then
  netplan get 2>/dev/null | sed -n -e 's/^ \{0,4\}[^ -]/>&/p' -e 's/^ \{6\}renderer:/>&/p'
fi
