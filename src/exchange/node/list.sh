begin list
{marked}
ours_digest=none
foreign_digest=none
if read_rows {table} {part} &&
{split} "$rows" '{pattern}'; then
printf 'token %s %s\n' "$ours_digest" "$foreign_digest"
tell_tunnels "$ours" '^.* via '
[ "$ours_digest" = '{ours}' ] || printf 'ours\n%s\n' "$ours"
[ "$ours_digest.$foreign_digest" = '{ours}.{foreign}' ] || printf 'foreign\n%s\n' "$foreign"
fi
end
