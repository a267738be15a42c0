lacking=
for tool in ip cat comm cut grep mkdir mv rm rmdir sha256sum sort; do
  command -v "$tool" >/dev/null 2>&1 || lacking="$lacking $tool"
done
if [ -z "$lacking" ]; then
  note_ipv6
  gather 4 "$questions4"
  [ "$ipv6" = no ] || gather 6 "$questions6"
  # The `ip` of BusyBox understands none of it.
  if [ "$gathered4" = 0 ]; then
    case $(ip -V 2>&1) in
      *iproute2*) ;;
      *) lacking=' iproute2' ;;
    esac
  fi
fi
if [ -n "$lacking" ]; then begin lacking
  printf '%s\n' "$lacking"
  end
  printf '\n%s done\n' "$nonce"
  exit 0
fi
