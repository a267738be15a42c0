while read -r line; do
  case $line in
    '' | *' via '* | local* | broadcast* | multicast* | unreachable* | blackhole* | prohibit*) continue ;;
    'Command failed'* | 'RTNETLINK answers: Network is unreachable' | 'RTNETLINK answers: No route to host') continue ;;
    'RTNETLINK answers: Invalid argument' | 'RTNETLINK answers: Permission denied') continue ;;
    *' dev '*) device=${line#*" dev "} ;;
    *) fail 'ip route get' "$line"; continue ;;
  esac
  device=${device%%" "*}
  printf 'device %s %s\n' "${line%%" "*}" "$device"
  note_device "$device"
done <<ANSWERS
$answers
ANSWERS
