case $node in server) number=10 ;; *) number=2${node##*-} ;; esac
machine "$number" "10.240.0.$number/32"
ip route add default via 172.31.1.1 dev eth0 onlink
[ "$number" = 10 ] || pods "10.200.${node##*-}.1/24"
netplan
