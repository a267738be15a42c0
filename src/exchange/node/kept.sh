begin kept
set --
for path in /etc/netplan/*.yaml /run/netplan/*.yaml /lib/netplan/*.yaml \
  /etc/systemd/network/*.network /etc/systemd/network/*.network.d/*.conf \
  /run/systemd/network/*.network /run/systemd/network/*.network.d/*.conf \
  /usr/lib/systemd/network/*.network /usr/lib/systemd/network/*.network.d/*.conf \
  /etc/NetworkManager/system-connections/* /etc/network/interfaces /etc/network/interfaces.d/* \
  /etc/sysconfig/network-scripts/route-*; do
  # Where a file cannot be read, topo only says less.
  if [ ! -f "$path" ] || [ ! -r "$path" ]; then continue; fi
  first=
  IFS= read -r first <"$path"
  case $first in '# Written by topo for '*) continue ;; esac
  set -- "$@" "$path"
done
