case $node in server) number=10 ;; *) number=2${node##*-} ;; esac
machine "$number" "10.240.0.$number/24" "fd00:240::$number/64"
ip route add default via 10.240.0.1 proto static
ip route add default via fd00:240::1 proto static
case $node in
  node-0) pods 10.200.0.1/24 fd00:200::1/64 ;;
  node-1) pods 10.200.1.1/24 fd00:200:1::1/64 ;;
esac
