kthw
case $node in
  server) networkd eth0:/run/systemd/network/10-netplan-eth0.network ;;
  node-0) netplan; rm "$folder/bin/systemctl"; stub systemctl "exit 3" ;;
  node-1) netplan; sed -i "s/renderer: networkd/renderer: NetworkManager/" /run/netplan.get; uses eth0 "" ;;
  node-2) netplan ethernets gone; sed -i "s/gone:/eth9:/" /run/netplan.get ;;
  node-3) netplan; uses eth0 /etc/systemd/network/10-eth0.network ;;
  node-4) networkd eth0:; stub systemctl "exit 3"; mkdir -p /run/network; printf "lo=lo\neth0=work\n" >/run/network/ifstate ;;
  node-5) network_manager eth0; stub systemctl '[ "$*" = "is-active --quiet NetworkManager" ] || exit 3' ;;
  # NetworkManager was stopped, and its notes are still there.
  node-6) netplan; uses eth0 ""; network_manager eth0 ;;
esac
