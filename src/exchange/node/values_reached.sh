while read -r line; do
  case $line in
    *' via '* | local* | broadcast* | multicast* | unreachable* | blackhole* | prohibit*) continue ;;
    *' dev '*) device=${line#*" dev "} ;;
    *) continue ;;
  esac
  device=${device%%" "*}
  printf 'device %s %s\n' "${line%%" "*}" "$device"
  note_device "$device"
done <<ANSWERS
$answer
ANSWERS
