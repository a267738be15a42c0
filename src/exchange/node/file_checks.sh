find_generator() {
  generator=
  for program in /lib/netplan/generate /usr/lib/netplan/generate /usr/libexec/netplan/generate; do
    # If `configure` exists, this program does something else.
    if [ -x "$program" ] && [ ! -x /usr/libexec/netplan/configure ]; then generator=$program; break; fi
  done
}
generate() { if [ -n "$generator" ]; then "$generator" "$@"; else netplan generate "$@"; fi; }
# Puts netplan's output for all of the node's files into $staging/$1. File $2 takes the place of topo's file, if given.
# All outputs use the same folder, because netplan writes its path into some files.
tree() {
  said=$(
    {
      for folder in lib etc run; do
        mkdir -p "$staging/root/$folder/netplan" || exit
        for file in "/$folder/netplan"/*.yaml; do
          [ ! -f "$file" ] || cp -L -p "$file" "$staging/root/$folder/netplan/" || exit
        done
      done
      rm -f "$staging/root/etc/netplan/$name"
      umask 077
      [ -z "$2" ] || cp "$2" "$staging/root/etc/netplan/$name" || exit
      umask 022
      generate --root-dir "$staging/root"
    } 2>&1
  )
  failed=$?
  mv "$staging/root" "$staging/$1"
  return "$failed"
}
# The sections of a file, one per line, sorted.
sections() { sed -n -e 's/^[#;].*//' -e '/^\[/{x;s/\n/ /g;/./p;d;}' -e '/./H' -e '${x;s/\n/ /g;p;}' "$1" | sort; }
# Compares files of netplan in folders $1 and $2: $staging/more has what only $2 has, $staging/less what only $1 has.
differ() {
  : >"$staging/more"
  : >"$staging/less"
  changed=
  for file in "$1"/10-netplan-* "$2"/10-netplan-*; do
    [ -f "$file" ] || continue
    file=${file##*/}
    if [ ! -f "$1/$file" ]; then
      printf 'file %s\n' "$file" >>"$staging/more"
    elif [ ! -f "$2/$file" ]; then
      printf 'file %s\n' "$file" >>"$staging/less"
    elif ! cmp -s "$1/$file" "$2/$file"; then
      case "$newline$changed$newline" in *"$newline$file$newline"*) continue ;; esac
      changed=$changed${changed:+$newline}$file
      sections "$1/$file" >"$staging/left"
      sections "$2/$file" >"$staging/right"
      comm -13 "$staging/left" "$staging/right" >>"$staging/more"
      comm -23 "$staging/left" "$staging/right" >>"$staging/less"
    fi
  done
}
# The sections in $1 that contain more than a route.
no_routes() { grep -v -x '\[Route\]\( \(Destination\|Gateway\|Table\|Metric\|GatewayOn[Ll]ink\)=[^ ]*\)*' "$1"; }
# Converts sections to rows in the form of `live_rows`. $1 is the protocol for sections that set none.
rows_of() {
  set -f
  while IFS= read -r section; do
    destination= gateway= metric= protocol=$1
    for word in $section; do
      case $word in
        Destination=*) destination=${word#*=} ;;
        Gateway=*) gateway=${word#*=} ;;
        Metric=*) metric=${word#*=} ;;
        Protocol=static) protocol=4 ;;
        Protocol=*) protocol=${word#*=} ;;
      esac
    done
    case $destination in
      *:*) destination=${destination%/128} metric=${metric:-1024} ;;
      *) destination=${destination%/32} metric=${metric:-0} ;;
    esac
    [ -z "$destination" ] || printf '%s %s %s %s\n' "$destination" "$gateway" "$protocol" "$metric"
  done | sort
  set +f
}
live_rows() {
  { ip -o -d -N -4 route show table "$table"; ip -o -d -N -6 route show table "$table"; } 2>/dev/null | sed -n \
    -e 's/^1 \([^ ]*\) via \([^ ]*\) dev [^ ]* \(.* \)\{0,1\}proto \([0-9]*\) .*metric \([0-9]*\).*/\1 \2 \4 \5/p;t' \
    -e 's/^1 \([^ ]*\) via \([^ ]*\) dev [^ ]* \(.* \)\{0,1\}proto \([0-9]*\) .*/\1 \2 \4 0/p' | sort
}
check_netplan() {
  if ! command -v netplan >/dev/null 2>&1; then
    refuse 'netplan is not installed. Set persist = "networkd" for this node.'
    return 1
  fi
  find_generator
  want=
  [ ! -s "$staging/wanted" ] || want=$staging/want.1
  if ! tree base ''; then
    refuse "netplan cannot read the node's own files (all except $name), so topo cannot add routes to them. Correct those files first. netplan says:" "$(shortened "$said")"
    return 1
  fi
  generated=run/systemd/network
  mkdir -p "$staging/base/$generated"
  : >"$staging/allowed"
  : >"$staging/rows.present"
  if [ -f "/etc/netplan/$name" ] && tree now "/etc/netplan/$name"; then
    differ "$staging/base/$generated" "$staging/now/$generated"
    cat "$staging/more" >"$staging/allowed"
    rows_of 4 <"$staging/more" >"$staging/rows.present"
  fi
  if [ -n "$want" ]; then
    if ! tree after "$want"; then
      refuse "netplan does not accept the file $name. It says:" "$(shortened "$said")"
      return 1
    fi
  else
    cp -a "$staging/base" "$staging/after"
  fi
  difference=$(diff -r -q --no-dereference -x netplan "$staging/base" "$staging/after" 2>&1 |
    grep -v "^Files $staging/base/$generated/10-netplan-.*\.network and .* differ\$")
  if [ -n "$difference" ]; then
    refuse "With the file $name, netplan would generate different files, not only more routes. Check that the definition in it matches the device." "$(shortened "$difference")"
    return 1
  fi
  differ "$staging/base/$generated" "$staging/after/$generated"
  difference=$(cat "$staging/less"; no_routes "$staging/more")
  if [ -n "$difference" ]; then
    refuse "With the file $name, netplan would change more than routes:" "$(shortened "$difference")"
    return 1
  fi
  cat "$staging/more" >>"$staging/allowed"
  rows_of 4 <"$staging/more" >"$staging/rows.wanted"
  # If another file has the same route, netplan writes it only once.
  if [ -n "$want" ]; then
    sed -n 's/.*{to: "\([^"]*\)", via: "\([^"]*\)"\(, table: [0-9]*\)\{0,1\}\(, metric: \([0-9]*\)\)\{0,1\}}$/[Route] Destination=\1 Gateway=\2 Metric=\5/p' "$want" |
      rows_of 4 >"$staging/left"
    for file in "$staging/base/$generated"/10-netplan-*.network; do [ ! -f "$file" ] || sections "$file"; done | grep '^\[Route\]' | rows_of 4 |
      comm -12 "$staging/left" - | comm -23 - "$staging/rows.wanted" >"$staging/shared"
    sort -o "$staging/rows.wanted" "$staging/rows.wanted" "$staging/shared"
  fi
  count=$(($(grep -c ' Destination=' "$staging/more") + $(cat "$staging/shared" 2>/dev/null | wc -l)))
  if [ "$count" != "$routes" ]; then
    refuse "netplan generates $count of the $routes routes in $name. Versions before 0.106 lose routes if two files have equally many for a device. Set persist = \"networkd\" for this node, or update netplan."
    return 1
  fi
  for file in $changed; do
    case "$newline$in_use$newline" in
      *"/$file$newline"*) ;;
      *)
        refuse "No device uses $file, where netplan would put routes of $name, so they would not become live. Check that the definition in it matches the device."
        return 1
        ;;
    esac
  done
  # Routes of topo's own file may be live in any state: somebody may have removed the file by hand.
  differ "$staging/base/$generated" "$put_folder"
  sed -n 's/.* Destination=\([^ ]*\).*/\1/p' "$staging/allowed" | sort -u >"$staging/left"
  difference=$(
    cat "$staging/less"
    no_routes "$staging/more"
    sed -n 's/.* Destination=\([^ ]*\).*/\1/p' "$staging/more" | sort -u | comm -13 "$staging/left" - | sed 's/^/[Route] Destination=/'
  )
  if [ -n "$difference" ]; then
    refuse "Somebody has changed netplan's files and not applied the change yet. Loading $name would apply that change, too. Run \`netplan apply\` on the node or undo the change first. Differences to the configuration in $put_folder:" "$(shortened "$difference")"
    return 1
  fi
}
check_networkd() {
  while IFS= read -r path; do
    folder=${path%/*}
    folder=${folder##*/}
    case "$newline$in_use$newline" in
      *"/${folder%.d}$newline"*) ;;
      *)
        refuse "No device uses ${folder%.d}, so routes in $path would not become live."
        return 1
        ;;
    esac
  done <"$staging/wanted"
  number=0
  while IFS= read -r path; do
    number=$((number + 1))
    sections "$staging/want.$number"
  done <"$staging/wanted" | grep '^\[Route\]' | rows_of 4 >"$staging/rows.wanted"
  if [ "$(wc -l <"$staging/rows.wanted")" != "$routes" ]; then
    failed 'sed and sort' ''
    return 1
  fi
  while IFS= read -r path; do sections "$path"; done <"$staging/present" | grep '^\[Route\]' | rows_of 4 >"$staging/rows.present"
}
