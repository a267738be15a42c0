# For the judges of the test server of Azure Resource Manager; sourced.
#
# Each judge is a script with two verbs:
#   install FOLDER   puts the client of pinned version into FOLDER (needs a package registry; nothing else is asked)
#   judge FOLDER     runs it; tests/judges/run calls it in a network namespace that has loopback and nothing else
# A judge ends with 0 (pass), 1 (fail) or 77 (skipped; the reason is the last line that it prints).
here=$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")

skip() { echo "$1"; exit 77; }

# Starts the server with its files in FOLDER, and stops it when the judge ends.
start_server() {
  command -v curl >/dev/null || skip 'curl is missing'
  folder=$1
  rm -rf "$folder"
  mkdir -p "$folder"
  "$here/../serve" "$folder" "${2:-3}" >"$folder/server.log" 2>&1 &
  server=$!
  trap stop_server EXIT
  while [[ ! -e $folder/server.json ]]; do
    kill -0 "$server" 2>/dev/null || { cat "$folder/server.log"; echo 'The server did not start.'; exit 1; }
    sleep 0.05
  done
  # Clients that are told to wait 0 seconds wait half a minute: 1 % of what Azure says is one second.
  control '{"command": "retry-after", "percent": 1}'
}

about() { python3 -c 'import json, sys; print(json.load(open(sys.argv[1]))[sys.argv[2]])' "$folder/server.json" "$1"; }

control() { curl --silent --fail --show-error --noproxy '*' --output /dev/null --data "$1" "$(about control)"; }

# The log of all exchanges is in FOLDER/log.json then.
stop_server() {
  trap - EXIT
  control '{"command": "stop"}' || kill "$server"
  wait "$server" || { cat "$folder/server.log"; echo 'The server ended badly.'; exit 1; }
}

# The real `az` of the folder $client, signed in at the server as with a managed identity.
sign_in_az() {
  local endpoint
  export AZURE_CONFIG_DIR=$folder/config REQUESTS_CA_BUNDLE=$folder/ca.pem
  export AZURE_CORE_COLLECT_TELEMETRY=false AZURE_CORE_ONLY_SHOW_ERRORS=true AZURE_CORE_NO_COLOR=true
  IDENTITY_ENDPOINT=$(about identity_endpoint) IDENTITY_HEADER=$(about identity_header)
  export IDENTITY_ENDPOINT IDENTITY_HEADER
  endpoint=$(about endpoint)
  az cloud register --name topo --skip-endpoint-discovery --endpoint-resource-manager "$endpoint" \
    --endpoint-management "$endpoint" --endpoint-active-directory "$endpoint" \
    --endpoint-active-directory-resource-id https://management.azure.com/ --endpoint-active-directory-graph-resource-id "$endpoint"
  az cloud set --name topo
  az login --identity --output none
}

az() { "$client/bin/az" "$@"; }

# check WHAT GOT WANTED
check() { [[ $2 == "$3" ]] || { printf '%s\n  is      %s\n  must be %s\n' "$1" "$2" "$3"; exit 1; }; }

# install_python FOLDER REQUIREMENTS: a virtual environment with exactly these packages.
install_python() {
  command -v python3 >/dev/null || skip 'python3 is missing'
  if cmp -s "$2" "$1/installed"; then return; fi
  rm -rf "$1"
  python3 -m venv "$1" || skip 'python3 cannot make a virtual environment (python3-venv)'
  # All of them come built, and whatever is used is compiled at its first use: this takes a third of the time.
  "$1/bin/python" -m pip install --quiet --no-deps --no-compile --only-binary :all: --requirement "$2" || skip "pip could not install $(basename "$2")"
  cp "$2" "$1/installed"
}
