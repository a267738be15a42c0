kthw
marked
for other in 20 21; do
  [ "$other" = "$number" ] || ip route add "10.200.$((other - 20)).0/24" via "10.240.0.$other" proto 201 metric 100
done
if on server; then
  ip route add 10.200.0.128/25 via 10.240.0.99 proto 80
  ip route add 10.200.1.0/24 via 10.240.0.98
fi
if on node-0; then ip route append 10.200.1.0/24 via 10.240.0.97 proto static metric 100; fi
