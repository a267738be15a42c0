begin marker
# Once more if it failed: nothing else writes it later.
for try in first second; do
said=$({{
mkdir -p /etc/topo &&
printf 'lineage {lineage}\nprotocol {protocol}\n{known}' >'/etc/topo/.{topology}.new' &&
mv -f '/etc/topo/.{topology}.new' '/etc/topo/{topology}'
}} 2>&1)
first=
second=
[ ! -r '/etc/topo/{topology}' ] || {{ read -r first; read -r second; }} <'/etc/topo/{topology}'
[ "$first.$second" != 'lineage {lineage}.protocol {protocol}' ] || break
[ "$try" = first ] || printf '%s\n' "${{said:-the file is not there}}"
done
end
