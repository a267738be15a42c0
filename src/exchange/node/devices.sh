# Only lines for next hops on a device; the mark shows that each process read all of it.
hops=$(printf '%s\n~end\n' "$answer" | sed -n -e 's/^\([0-9a-f:.]*\) \(.* \)\{{0,1\}}dev \([^ ]*\).*/hop \1 \3/p' -e '/^~end$/p')
case $newline$hops in
*"$newline~end")
  device=${{hops%%"$newline"*}}
  device=${{device##* }}
  count=$(printf '%s\n' "$hops" | cut -s -d ' ' -f 3 | grep -c -x -F -e "$device")
  if [ "$count" = {count} ]; then printf 'hops %s\n' "$device"; else printf '%s\n' "${{hops%'~end'}}"; fi
  ;;
*) failed sed '' ;;
esac
