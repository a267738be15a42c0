begin write
{marked}
write_rows() {{
{look} || return
split_rows "$before" '{pattern}' || return
if ! {{ {guard}; }}; then
held=yes
printf 'moved\n'
return
fi
way_before=$(way) || {{ failed "ip route get $peer" "$way_before"; return; }}
said=$(ip -force -batch - 2>&1 <<'COMMANDS'
{commands}COMMANDS
)
way_after=$(way) || way_after='not known'
if [ "$way_before" != "$way_after" ]; then
ip -force -batch - >/dev/null 2>&1 <<'COMMANDS'
{undo}COMMANDS
held=yes
read_rows {table} && compare_rows "$before" "$rows" || return
if [ -n "$differences" ]; then
failed "ip -batch" "The way back to you changed to $way_after, and the old routes could not all be put back."
return
fi
printf 'back\n%s\nthen\n%s\n' "$way_before" "$way_after"
return
fi
read_rows {table} && split_rows "$rows" '{pattern}' && compare_rows "$before" "$rows" || return
printf 'token %s %s\nsaid\n%s\ndiffers\n%s\n' "$ours_digest" "$foreign_digest" "$said" "$differences"
{winners}}}
write_rows
end
