begin marker
is_gone() {{
[ ! -e '/etc/topo/{topology}' ] && [ ! -e '/etc/topo/.{topology}.new' ] || return
# Other topologies may have markers there.
for entry in /etc/topo/* /etc/topo/.[!.]*; do [ ! -e "$entry" ] || return 0; done
[ ! -d /etc/topo ]
}}
if [ -z "$held" ]; then
# Once more if it failed: nothing knows of it later.
for try in first second; do
said=$(rm -f '/etc/topo/{topology}' '/etc/topo/.{topology}.new' 2>&1)
rmdir /etc/topo 2>/dev/null
! is_gone || break
[ "$try" = first ] || printf '%s\n' "${{said:-/etc/topo or a file in it is there still}}"
done
fi
end
