if command -v netplan >/dev/null 2>&1; then
  # Only for words.
  version=$(dpkg-query -W -f '${Version}' netplan.io 2>/dev/null)
  printf 'netplan %s\n' "${version:-unknown}"
fi
if networkd_runs && [ -n "$runs" ]; then printf 'networkd\n'; fi
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
# What else manages devices. Only for words: what cannot be read is left out.
if [ -d /run/NetworkManager/devices ] && systemctl is-active --quiet NetworkManager 2>/dev/null; then
  for state in /run/NetworkManager/devices/*; do
    device=${devices#*" ${state##*/}:"}
    [ "$device" != "$devices" ] || continue
    while read -r line; do
      [ "$line" != managed=true ] || printf 'manager NetworkManager %s\n' "${device%% *}"
    done 2>/dev/null <"$state"
  done
fi
[ ! -r /run/network/ifstate ] || while IFS='=' read -r device line; do
  printf 'manager ifupdown %s\n' "$device"
done </run/network/ifstate
# The dot protects the last line break, and shows that all was read.
[ -z "$files" ] || while IFS= read -r line; do
  printf 'file %s\n' "$line"
  path=/${line#*/}
  { head -c 1048576 "$path" && printf .; } | sed 's/^/|/'
  printf '\n'
done <<FILES
$files
FILES
# The definitions in all netplan files, without deeper levels. The mark shows that sed read all of it. Where netplan fails,
# there is none, so that topo refuses to write a file.
if [ "$form" = netplan ] && command -v netplan >/dev/null 2>&1; then
  definitions=$({ netplan get 2>/dev/null; printf '\n~end\n'; } |
    sed -n -e 's/^ \{0,4\}[^ -]/>&/p' -e 's/^ \{6\}renderer:/>&/p')
  case $newline$definitions in
    *"$newline>~end") printf '%s' "${definitions%'>~end'}" ;;
    *) failed sed "$definitions" ;;
  esac
fi
