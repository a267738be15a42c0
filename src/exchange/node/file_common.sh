# Files that keep routes: $name is their name, $form their reader.
our_files() {
  case $form in
    netplan) set -- "/etc/netplan/$name" ;;
    *) set -- /etc/systemd/network/*.d/"$name" ;;
  esac
  for path; do
    if [ -f "$path" ]; then printf '%s\n' "$path"; fi
  done
}
# The configuration files that networkd uses. Drop-ins beside them take effect.
files_in_use() { sed -n 's/^NETWORK_FILE=//p' /run/systemd/netif/links/* 2>/dev/null | sort -u; }
# A file waits to be loaded as long as networkd is still the process that ran when the file was written.
invocation() { readlink /run/systemd/units/invocation:systemd-networkd.service 2>/dev/null; }
file_token() {
  pending=no
  if [ -f "/run/topo/$name.pending" ]; then
    said=
    read -r said <"/run/topo/$name.pending"
    [ -z "$said" ] || [ "$said" != "$(invocation)" ] || pending=yes
  fi
  in_use=$(files_in_use)
  token=$(
    {
      our_files | while IFS= read -r path; do
        printf '%s %s\n' "$path" "$(stat -L -c '%a %s' "$path")"
        cat "$path"
      done
      printf '%s\npending %s\n' "$in_use" "$pending"
    } | sha256sum
  )
  token=${token%"${token#????????????????}"}
}
