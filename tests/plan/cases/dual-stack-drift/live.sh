case $node in server) number=10 ;; *) number=2${node##*-} ;; esac
machine "$number" "10.240.0.$number/24" "fd00:240::$number/64"
ip route add default via 10.240.0.1 proto static
ip route add default via fd00:240::1 proto static
case $node in
  node-0) pods 10.200.0.1/24 fd00:200::1/64 ;;
  node-1) pods 10.200.1.1/24 fd00:200:1::1/64 ;;
esac
marked
mesh 20 21
[ "$number" = 20 ] || ip route add fd00:200::/64 via fd00:240::20 proto 201
[ "$number" = 21 ] || ip route add fd00:200:1::/64 via fd00:240::21 proto 201
if on server; then
  ip route del fd00:200::/64
  ip route change fd00:200:1::/64 via fd00:240::99
fi
if on node-0; then ip route append fd00:200:1::/64 via fd00:240::99; fi
