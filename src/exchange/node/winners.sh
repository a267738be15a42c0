printf 'loses\n'
ip -force -o -batch - 2>/dev/null <<'COMMANDS' | cut -d ' ' -f 1-3 | sort | comm -13 - /dev/fd/3 3<<'WANTED'
{questions}COMMANDS
{wanted}WANTED
