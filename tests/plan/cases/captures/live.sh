kthw
operator=192.168.50.9
printf "nameserver 192.168.50.53\n" >>/etc/resolv.conf
