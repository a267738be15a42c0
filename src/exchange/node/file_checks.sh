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
  status=$?
  mv "$staging/root" "$staging/$1"
  [ -d "$staging/$1" ] || { said="the folder $staging/$1 is missing"; return 1; }
  return "$status"
}
# Puts the sections of a file into $got, one per line, sorted.
sections() {
  found=$(printf '~end\n' | sed -n -e 's/^[#;].*//' -e '/^~end$/{x;s/\n/ /g;/./p;s/.*/~end/p;d;}' \
    -e '/^\[/{x;s/\n/ /g;/./p;d;}' -e '/./H' "$1" - 2>&1 | sort)
  whole 'sed and sort' "$found"
}
# Whether two files have the same content, with status 2 if that is not known.
is_same() {
  found=$(sha256sum -- "$1" "$2" 2>&1)
  second=${found#*"$newline"}
  case $found$newline$second in
    *"  $1$newline"*"  $2$newline"*"  $2") ;;
    *)
      failed sha256sum "$found"
      return 2
      ;;
  esac
  [ "${found%%"  $1"*}" = "${second%%"  $2"*}" ]
}
# Compares files of netplan in folders $1 and $2: $more has what only $2 has, $less what only $1 has.
differ() {
  more=
  less=
  changed=
  for file in "$1"/10-netplan-* "$2"/10-netplan-*; do
    [ -f "$file" ] || continue
    file=${file##*/}
    case $newline$changed$newline in *"$newline$file$newline"*) continue ;; esac
    if [ ! -f "$1/$file" ]; then
      more=$more${more:+$newline}"file $file"
    elif [ ! -f "$2/$file" ]; then
      less=$less${less:+$newline}"file $file"
    else
      is_same "$1/$file" "$2/$file"
      case $? in
        0) continue ;;
        2) return 1 ;;
      esac
      changed=$changed${changed:+$newline}$file
      sections "$1/$file" || return
      left=$got
      sections "$2/$file" || return
      right=$got
      only "$right" "$left" || return
      more=$more${more:+${got:+$newline}}$got
      only "$left" "$right" || return
      less=$less${less:+${got:+$newline}}$got
    fi
  done
}
# Puts the sections in $1 that contain more than a route into $got.
no_routes() {
  whole grep "$(printf '%s\n~end\n' "$1" | grep -v -x -e '' -e '\[Route\]\( \(Destination\|Gateway\|Table\|Metric\|GatewayOn[Ll]ink\)=[^ ]*\)*')"
}
# Puts the sections in $1 that are routes into $got.
only_routes() { whole grep "$(printf '%s\n~end\n' "$1" | grep -e '^\[Route\]' -e '^~end$')"; }
# Converts the sections $2 to rows in the form of `live_rows`, in $got. $1 is the protocol for sections that set none.
rows_of() {
  found=$(
    {
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
      done
      printf '~end\n'
    } <<SECTIONS | sort
$2
SECTIONS
  )
  whole sort "$found"
}
# Puts the destinations in the sections $1 into $got, each once.
destinations_of() {
  whole 'sed and sort' "$(printf '%s\n~end\n' "$1" | sed -n -e 's/.* Destination=\([^ ]*\).*/\1/p' -e '/^~end$/p' | sort -u)"
}
# Puts the rows of the table into $live.
live_rows() {
  read_rows "$table" || return
  found=$(printf '%s\n~end\n' "$rows" | sed -n \
    -e 's/^1 \([^ ]*\) via \([^ ]*\) dev [^ ]* \(.* \)\{0,1\}proto \([0-9]*\) .*metric \([0-9]*\).*/\1 \2 \4 \5/p;t' \
    -e 's/^1 \([^ ]*\) via \([^ ]*\) dev [^ ]* \(.* \)\{0,1\}proto \([0-9]*\) .*/\1 \2 \4 0/p' -e '/^~end$/p' | sort)
  whole 'sed and sort' "$found" || return
  live=$got
}
# Puts the number of lines of $1 into $count.
count_lines() {
  count=0
  [ -z "$1" ] || while IFS= read -r line; do count=$((count + 1)); done <<LINES
$1
LINES
}
check_netplan() {
  if ! command -v netplan >/dev/null 2>&1; then
    refuse 'netplan is not installed. Set persist = "networkd" for this node.'
    return 1
  fi
  find_generator
  want=
  [ -z "$wanted" ] || want=$staging/want.1
  if ! tree base ''; then
    refuse "netplan cannot read the node's own files (all except $name), so topo cannot add routes to them. Correct those files first. netplan says:" "$(shortened "$said")"
    return 1
  fi
  generated=run/systemd/network
  mkdir -p "$staging/base/$generated"
  was=base
  allowed=
  rows_present=
  [ ! -f "/etc/netplan/$name" ] || was=
  if [ -z "$was" ] && tree now "/etc/netplan/$name"; then
    was=now
    differ "$staging/base/$generated" "$staging/now/$generated" || return
    allowed=$more
    rows_of 4 "$more" || return
    rows_present=$got
  fi
  rows_of_output=
  if [ -f "$output_of" ] && tree output "$output_of"; then
    differ "$staging/base/$generated" "$staging/output/$generated" || return
    allowed=$allowed$newline$more
    rows_of 4 "$more" || return
    rows_of_output=$got
  fi
  if [ -n "$want" ]; then
    if ! tree after "$want"; then
      refuse "netplan does not accept the file $name. It says:" "$(shortened "$said")"
      return 1
    fi
  else
    cp -a "$staging/base" "$staging/after"
  fi
  # This file is the mark that diff read both folders.
  difference=$({ printf '' >"$staging/after/~end" && diff -r -q --no-dereference -x netplan "$staging/base" "$staging/after"; } 2>&1)
  rm -f "$staging/after/~end"
  case $newline$difference$newline in
    *"${newline}Only in $staging/after: ~end$newline"*) ;;
    *)
      failed diff "$difference"
      return 1
      ;;
  esac
  difference=$(
    while IFS= read -r line; do
      case $line in
        "Only in $staging/after: ~end") ;;
        "Files $staging/base/$generated/10-netplan-"*".network and "*" differ") ;;
        *) printf '%s\n' "$line" ;;
      esac
    done <<DIFFERENCE
$difference
DIFFERENCE
  )
  if [ -n "$difference" ]; then
    refuse "With the file $name, netplan would generate different files, not only more routes. Check that the definition in it matches the device." "$(shortened "$difference")"
    return 1
  fi
  differ "$staging/base/$generated" "$staging/after/$generated" || return
  no_routes "$more" || return
  difference=$less${less:+${got:+$newline}}$got
  if [ -n "$difference" ]; then
    refuse "With the file $name, netplan would change more than routes:" "$(shortened "$difference")"
    return 1
  fi
  allowed=$allowed$newline$more
  rows_of 4 "$more" || return
  rows_wanted=$got
  count_lines "$rows_wanted"
  # If another file has the same route, netplan writes it only once.
  if [ "$count" -lt "$routes" ]; then
    whole sed "$(printf '~end\n' | sed -n -e 's/.*{to: "\([^"]*\)", via: "\([^"]*\)"\(, table: [0-9]*\)\{0,1\}\(, metric: \([0-9]*\)\)\{0,1\}}$/[Route] Destination=\1 Gateway=\2 Metric=\5/p' -e '/^~end$/p' "$want" -)" &&
      rows_of 4 "$got" || return
    left=$got
    shared=
    for file in "$staging/base/$generated"/10-netplan-*.network; do
      [ -f "$file" ] || continue
      sections "$file" && only_routes "$got" && rows_of 4 "$got" && common "$left" "$got" && only "$got" "$rows_wanted" || return
      shared=$shared${shared:+${got:+$newline}}$got
    done
    whole sort "$(printf '%s\n' "$rows_wanted" "$shared" '~end' | sort -u)" || return
    rows_wanted=$got
    count_lines "$rows_wanted"
  fi
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
  differ "$staging/base/$generated" "$put_folder" && destinations_of "$allowed" || return
  left=$got
  destinations_of "$more" && only "$got" "$left" || return
  difference=$(
    [ -z "$got" ] || while IFS= read -r destination; do printf '[Route] Destination=%s\n' "$destination"; done <<DESTINATIONS
$got
DESTINATIONS
  )
  no_routes "$more" || return
  difference=$less${less:+$newline}$got${got:+$newline}$difference
  difference=${difference%"$newline"}
  if [ -n "$difference" ]; then
    refuse "Somebody has changed netplan's files and not applied the change yet. Loading $name would apply that change, too. Run \`netplan apply\` on the node or undo the change first. Differences to the configuration in $put_folder:" "$(shortened "$difference")"
    return 1
  fi
}
check_networkd() {
  rows_of_output=
  rows_wanted=
  rows_present=
  number=0
  [ -z "$wanted" ] || while IFS= read -r path; do
    number=$((number + 1))
    folder=${path%/*}
    folder=${folder##*/}
    case "$newline$in_use$newline" in
      *"/${folder%.d}$newline"*) ;;
      *)
        refuse "No device uses ${folder%.d}, so routes in $path would not become live."
        return 1
        ;;
    esac
    sections "$staging/want.$number" && only_routes "$got" || return
    rows_wanted=$rows_wanted${rows_wanted:+${got:+$newline}}$got
  done <<WANTED
$wanted
WANTED
  rows_of 4 "$rows_wanted" || return
  rows_wanted=$got
  count_lines "$rows_wanted"
  if [ "$count" != "$routes" ]; then
    failed_to 'read the new file' "$count of $routes routes were read."
    return 1
  fi
  [ -z "$present" ] || while IFS= read -r path; do
    sections "$path" && only_routes "$got" || return
    rows_present=$rows_present${rows_present:+${got:+$newline}}$got
  done <<PRESENT
$present
PRESENT
  rows_of 4 "$rows_present" || return
  rows_present=$got
}
