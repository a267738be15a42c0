case $node in server) number=10 ;; *) number=2${node##*-} ;; esac
machine "$number" "10.240.0.$number/32"
ip route add 172.31.1.1 dev eth0
ip route add default via 172.31.1.1 dev eth0
[ "$number" = 10 ] || pods "10.200.${node##*-}.1/24"
marked
if on server; then
  for other in 0 1; do ip route add "10.200.$other.0/24" via 172.31.1.1 dev eth0 onlink proto 201; done
elif on node-1; then
  ip route add 10.200.0.0/24 via 172.31.1.1 proto 201
fi
