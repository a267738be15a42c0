begin write
{marked}
commands={commands}
ask_way="${{peer:+route get $peer$newline}}link show dev lo"
{ipv6}
write_rows() {{
{look} || return
part_rows "$before" '{pattern}' || return
if ! {{ {guard}; }}; then
held=yes
printf 'moved\n'
return
fi
find_way "$way_part" || {{ failed "ip route get $peer" "$way"; return; }}
way_before=$way
gather 4 "$commands
link show dev lo
{questions}"
said=${{all%%"${{newline}}1: lo: <"*}}
said=${{said#"$newline"}}
find_way 2 || way='not known'
if [ "$way_before" != "$way" ]; then
way_after=$way
undo=$({{
printf '%s\n' {added_back}
printf '%s\n' "$commands" | sed -n -e 's/^route del /route add /p'
printf '%s\n' {changed_back}
printf '%s\n' "$commands" | sed -n -e '/^route add /!d' -e 's/^route add /route del /' -e 's/ dev [^ ]* onlink / /' -e p
}})
ip -force -batch - >/dev/null 2>&1 <<COMMANDS
$undo
COMMANDS
held=yes
read_rows {table} && compare_rows "$before" "$rows" || return
if [ -n "$differences" ]; then
failed "ip -batch" "The way back to you changed to $way_after, and the old routes could not all be put back."
return
fi
printf 'back\n%s\nthen\n%s\n' "$way_before" "$way_after"
return
fi
read_rows {table} {rows_part} || return
if [ "$((${{#before}} + ${{#rows}}))" -le {most} ]; then
printf 'said\n%s\nbefore\n%s\nafter\n%s\n' "$said" "$before" "$rows"
else
split_rows "$rows" '{pattern}' && compare_rows "$before" "$rows" || return
printf 'token %s %s\nsaid\n%s\ndiffers\n%s\n' "$ours_digest" "$foreign_digest" "$said" "$differences"
fi
{winners}}}
write_rows
end
