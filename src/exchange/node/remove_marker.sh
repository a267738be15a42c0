begin marker
if [ -z "$held" ] && [ -e '/etc/topo/{topology}' ]; then rm -f '/etc/topo/{topology}' 2>&1; fi
rmdir /etc/topo 2>/dev/null
end
