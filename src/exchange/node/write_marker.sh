begin marker
(
mkdir -p /etc/topo &&
printf 'lineage {lineage}\nprotocol {protocol}\n{known}' >'/etc/topo/.{topology}.new' &&
mv -f '/etc/topo/.{topology}.new' '/etc/topo/{topology}'
) 2>&1
end
