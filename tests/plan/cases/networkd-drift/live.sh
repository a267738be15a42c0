kthw
networkd eth0:/etc/systemd/network/10-eth0.network
marked
mesh 20 21
mkdir -p /etc/systemd/network/10-eth0.network.d
{
  printf '# Written by topo for topology kthw, lineage %s. What is changed here by hand, topo changes back.\n' "$lineage"
  for other in 20 21; do
    [ "$other" = "$number" ] || printf '\n[Route]\nDestination=10.200.%s.0/24\nGateway=10.240.0.%s\nProtocol=201\n' $((other - 20)) "$other"
  done
} >/etc/systemd/network/10-eth0.network.d/60-topo.conf
if on server; then printf 'MTUBytes=1400\n' >>/etc/systemd/network/10-eth0.network.d/60-topo.conf; fi
if on node-0; then uses eth0 /etc/systemd/network/20-wired.network; fi
