case $node in
  server) machine 10 10.240.0.10/24; ip route add default via 10.240.0.1 ;;
  *) machine "12${node##*-}" "10.250.0.2${node##*-}/24"; ip route add default via 10.250.0.1; pods "10.200.${node##*-}.1/24" ;;
esac
