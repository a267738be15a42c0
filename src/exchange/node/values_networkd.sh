# systemd-networkd sets forwarding when it starts, and when a link comes up.
if [ -d /run/systemd/netif/links ]; then
  is_about() { case $1 in *Forward*=*) ;; *) return 1 ;; esac; }
  for folder in /etc/systemd /run/systemd /usr/local/lib/systemd /usr/lib/systemd; do
    for path in "$folder"/networkd.conf "$folder"/networkd.conf.d/*.conf "$folder"/network/*.network \
      "$folder"/network/*.network.d/*.conf; do
      if [ -f "$path" ]; then printf 'networkd %s\n' "$path"; lines_of "$path"; fi
    done
  done
fi
