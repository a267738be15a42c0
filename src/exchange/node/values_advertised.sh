# What the node has by router advertisements. The protocol of such routes is 9.
if [ -d /proc/sys/net/ipv6 ]; then
  if said=$(ip -o -6 -N route show default 2>&1); then :; else failed 'ip -o -6 -N route show default' "$said"; said=; fi
  rows=$said
  if said=$(ip -o -6 addr show dynamic mngtmpaddr 2>&1); then :; else
    failed 'ip -o -6 addr show dynamic mngtmpaddr' "$said"
    said=
  fi
  while read -r line; do
    case $line in
      *' dev '*' proto 9 '*) device=${line#*" dev "} ;;
      [0-9]*': '*' inet6 '*) device=${line#*": "} ;;
      *) continue ;;
    esac
    device=${device%%" "*}
    printf 'advertised %s\n' "$device"
    note "net/ipv6/conf/$device/accept_ra"
  done <<ROWS
$rows
$said
ROWS
fi
