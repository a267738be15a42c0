begin write
{marked}
{look}
split_rows "$before" '{pattern}'
if {guard}; then
way_before=$(way)
said=$(ip -force -batch - 2>&1 <<'COMMANDS'
{commands}COMMANDS
)
way_after=$(way)
if [ "$way_before" != "$way_after" ]; then
ip -force -batch - >/dev/null 2>&1 <<'COMMANDS'
{undo}COMMANDS
held=yes
printf 'back\n%s\nthen\n%s\n' "$way_before" "$way_after"
else
read_rows {table}
after=$rows
split_rows "$after" '{pattern}'
printf 'token %s %s\nsaid\n%s\ndiffers\n' "$ours_digest" "$foreign_digest" "$said"
after=$(printf '%s\n' "$after" | sort)
printf '%s\n' "$before" | sort | comm -3 - /dev/fd/3 3<<ROWS
$after
ROWS
{winners}fi
else
held=yes
printf 'moved\n'
fi
end
