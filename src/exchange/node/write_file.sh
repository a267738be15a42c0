begin file
form={form} name='{name}' known='{known}' activation={activation} table={table} routes={routes}
pattern='{pattern}' marks='{marks}'
{marked}
read_rows {table}
rows_before_file_{table}=$rows
want_files() {{
:
{contents}}}
file_work
end
