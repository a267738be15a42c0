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
# Puts the configuration files that networkd uses into $used, one a line. Drop-ins beside them take effect.
files_in_use() {
  used=
  for link in /run/systemd/netif/links/*; do
    [ -f "$link" ] || continue
    while IFS= read -r line; do
      case $line in
        NETWORK_FILE=*)
          case "$newline$used$newline" in
            *"$newline${line#*=}$newline"*) ;;
            *) used=$used${used:+$newline}${line#*=} ;;
          esac
          ;;
      esac
    done 2>/dev/null <"$link"
  done
}
# The run of networkd, in 32 letters; nothing if it does not run. A file waits to be loaded as long as networkd is still
# the process that ran when the file was written.
unit=/run/systemd/units/invocation:systemd-networkd.service
invocation() {
  [ -L "$unit" ] || return 0
  invoked=$(readlink "$unit" 2>&1)
  printf '%s\n' "$invoked"
  case $invoked in *[!0-9a-f]*) return 1 ;; esac
  [ "${#invoked}" -eq 32 ]
}
# Puts the digest of the files and of what they depend on into $token, and of each file its mode, size and path into $files.
file_token() {
  pending=no
  if [ -f "/run/topo/$name.pending" ]; then
    said=
    read -r said <"/run/topo/$name.pending"
    if ! runs_as=$(invocation); then
      failed "readlink $unit" "$runs_as"
      return 1
    fi
    [ -z "$said" ] || [ "$said" != "$runs_as" ] || pending=yes
  fi
  files_in_use
  in_use=$used
  files=
  contents=
  case $form in
    netplan) set -- "/etc/netplan/$name" ;;
    *) set -- /etc/systemd/network/*.d/"$name" ;;
  esac
  for path; do
    [ -f "$path" ] || continue
    shape=$(stat -L -c '%a %s.' "$path" 2>&1)
    digest=$(sha256sum <"$path" 2>&1)
    case $shape.${#digest} in
      [0-7]*' '*[0-9]..67) ;;
      *)
        failed "sha256sum $path" "$shape$newline$digest"
        return 1
        ;;
    esac
    files=$files${files:+$newline}"${shape%.} $path"
    contents=$contents$newline$digest
  done
  token=$(printf '%s\n' "$files$contents" "$in_use" "pending $pending" | sha256sum)
  if [ "${#token}" -ne 67 ]; then
    failed sha256sum "$token"
    return 1
  fi
  token=${token%"${token#????????????????}"}
}
# Sets $runs if networkd runs. systemctl(1): 3 is a unit that does not run, and 4 one that is not there.
networkd_runs() {
  runs=
  command -v systemctl >/dev/null 2>&1 || return 0
  systemctl is-active --quiet systemd-networkd 2>/dev/null
  status=$?
  case $status in
    0) runs=yes ;;
    3 | 4) ;;
    *)
      failed 'systemctl is-active systemd-networkd' "exit status $status"
      return 1
      ;;
  esac
}
