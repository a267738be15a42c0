begin file
form={form} name='{name}' known='{known}' activation={activation} table={table} routes={routes}
wanted={wanted}
pattern='{pattern}' marks='{marks}'
{marked}
want_files() {{
:
{contents}}}
if read_rows {table}; then
rows_before_file_{table}=$rows
file_work
fi
end
