begin marker
if [ -z "$held" ]; then
# Once more if it failed: nothing knows of it later.
for try in first second; do
said=$(rm -f '/etc/topo/{topology}' '/etc/topo/.{topology}.new' 2>&1)
[ -e '/etc/topo/{topology}' ] || [ -e '/etc/topo/.{topology}.new' ] || break
[ "$try" = first ] || printf '%s\n' "${{said:-the file is there still}}"
done
fi
rmdir /etc/topo 2>/dev/null
end
