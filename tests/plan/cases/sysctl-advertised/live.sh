number=2${node##*-}
machine "$number" "fd00:240::$number/64"
setting net/ipv6/conf/eth0/accept_ra 1
if on node-0 node-2; then ip -6 route add default via fe80::1 dev eth0 proto ra; fi
if on node-1; then ip addr add fd77::5/64 dev eth0 nodad valid_lft 500 preferred_lft 400 mngtmpaddr; fi
if on node-2; then setting net/ipv6/conf/eth0/accept_ra 2; fi
