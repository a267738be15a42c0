begin marker
wanted='lineage {lineage}
protocol {protocol}
{known}'
# Once more if it failed: nothing else writes it later.
for try in first second; do
said=$({{
mkdir -p /etc/topo &&
printf '%s' "$wanted" >'/etc/topo/.{topology}.new' &&
mv -f '/etc/topo/.{topology}.new' '/etc/topo/{topology}'
}} 2>&1)
found=
[ ! -r '/etc/topo/{topology}' ] || while read -r line; do found=$found$line$newline; done <'/etc/topo/{topology}'
[ "$found" != "$wanted" ] || break
[ "$try" = first ] || printf '%s\n' "${{said:-the file is not as written}}"
done
end
