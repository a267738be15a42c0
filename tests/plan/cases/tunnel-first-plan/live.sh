case $node in
  server) number=10 ;;
  *) number=2${node##*-} ;;
esac
machine "$number" "10.240.0.$number/24"
# node-1 is on a link where next hops count.
if on node-1; then
  ip addr add 10.9.0.21/24 dev eth0
else
  ip tuntap add dev wg0 mode tun
  ip addr add "10.9.0.$number/24" dev wg0
  ip link set wg0 up
fi
