lacking=
for tool in ip cat comm cut grep mkdir mv rm rmdir sha256sum sort; do
  command -v "$tool" >/dev/null 2>&1 || lacking="$lacking $tool"
done
if [ -z "$lacking" ]; then
  case $(ip -V 2>&1) in
    *iproute2*) ;;
    *) lacking=' iproute2' ;;
  esac
fi
if [ -n "$lacking" ]; then
  begin lacking
  printf '%s\n' "$lacking"
  end
  printf '\n%s done\n' "$nonce"
  exit 0
fi
