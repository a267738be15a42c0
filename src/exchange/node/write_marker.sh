begin marker
wanted='lineage {lineage}
protocol {protocol}
{known}'
put_marker() {{
if [ -d '/etc/topo/{topology}' ]; then
printf 'it is a folder\n' >&2
return 1
fi
{{ [ -d /etc/topo ] || mkdir -p /etc/topo; }} &&
printf '%s' "$wanted" >'/etc/topo/.{topology}.new' &&
mv -f '/etc/topo/.{topology}.new' '/etc/topo/{topology}'
}}
# Once more if it failed: nothing else writes it later.
for try in first second; do
if [ "$try" = first ]; then put_marker 2>/dev/null; else said=$(put_marker 2>&1); fi
found=
[ ! -r '/etc/topo/{topology}' ] || while read -r line; do found=$found$line$newline; done <'/etc/topo/{topology}'
[ "$found" != "$wanted" ] || break
[ "$try" = first ] || printf '%s\n' "${{said:-the file is not as written}}"
done
end
