"""Replays a tape in YAML: tapes.py SERVER_JSON TAPE. Statuses, headers that clients go by, and bodies must be those of the tape."""

import json
import re
import ssl
import sys
import urllib.error
import urllib.request

import yaml

from tapes_text import sent

AZURE = "https://management.azure.com"
about = json.load(open(sys.argv[1]))
tape = yaml.safe_load(open(sys.argv[2]))["interactions"]
trust = ssl.create_default_context(cafile=about["authority"])

# Newer versions of the API answer these, and the server does; some tapes are of older ones. Another default since 2022: private
# endpoints' policies are "Disabled". The name suffix, versions and identifiers differ from run to run.
NEWER = {"vnetEncryptionSupported", "disableTcpStateTracking", "allowPort25Out", "kind"}
OLDER = {"enableVmProtection"}
DIFFERS = {"etag", "resourceGuid", "internalDomainNameSuffix", "privateEndpointNetworkPolicies"}


def control(**command):
    urllib.request.urlopen(urllib.request.Request(about["control"], data=json.dumps(command).encode())).read()


def token():
    url = about["identity_endpoint"] + "?api-version=2019-08-01&resource=https://management.azure.com/"
    request = urllib.request.Request(url, headers={"X-IDENTITY-HEADER": about["identity_header"]})
    return json.load(urllib.request.urlopen(request))["access_token"]


def ask(method, url, body):
    headers = {"Authorization": f"Bearer {bearer}", "Content-Type": "application/json"}
    data = body.encode() if body else None
    request = urllib.request.Request(url, data=data, method=method, headers=headers)
    try:
        answer = urllib.request.urlopen(request, context=trust)
    except urllib.error.HTTPError as error:
        answer = error
    text = answer.read().decode()
    return answer.status, {name.lower(): value for name, value in answer.headers.items()}, text


def plain(value):
    if isinstance(value, dict):
        return {name: "…" if name in DIFFERS else plain(it) for name, it in value.items() if name not in NEWER | OLDER}
    return [plain(it) for it in value] if isinstance(value, list) else value


def versions(ours, theirs):
    """The versions of both sides, place by place."""
    if isinstance(ours, dict) and isinstance(theirs, dict):
        for name in set(ours) & set(theirs):
            if name == "etag":
                yield ours[name], theirs[name]
            else:
                yield from versions(ours[name], theirs[name])
    elif isinstance(ours, list) and isinstance(theirs, list):
        for pair in zip(ours, theirs):
            yield from versions(*pair)


def parsed(text):
    return json.loads(text) if text else None


def played(path):
    """What the server plays, and what is not of other people's resources in the subscription of the tape."""
    low = path.lower()
    if re.search(r"/providers/microsoft\.network/locations/[^/]+/usages", low):
        return True
    whole = re.search(r"/resourcegroups/.*/(routetables|virtualnetworks|networkinterfaces)(/|\?|$)", low)
    other = re.search(r"peerings/|gatewaysubnet|checkipaddress|effectivenetworksecurity|links|/tapconfig|/loadbalancers|/ipconfigurations", low)
    return bool(whole) and not other


bearer = token()
control(command="put", path=f"/subscriptions/{about['subscription']}/resourceGroups/rgname", body={"location": "westus"})
urls, compared, pairs = {}, 0, set()
for at, interaction in enumerate(tape):
    request, response = interaction["request"], interaction["response"]
    method, uri = request["method"], request["uri"]
    if not uri.startswith(AZURE):
        continue
    path = uri[len(AZURE):]
    if uri in urls:
        target = urls[uri]
    elif played(path):
        target = about["endpoint"] + path
    else:
        continue
    headers = {name.lower(): value[0] for name, value in response["headers"].items()}
    status, text = response["status"]["code"], response["body"]["string"]
    poll = headers.get("azure-asyncoperation") or headers.get("location")
    if poll and uri not in urls:
        waiting = [it for it in tape if it["request"]["uri"] == poll
                   and ("InProgress" in str(it["response"]["body"]["string"]) or it["response"]["status"]["code"] == 202)]
        control(command="pace", polls=len(waiting), abandoned=60000)
    if "/effectiveRouteTable" in path:
        # The tape has a machine for this; the server gets one from somebody else.
        machine = path.split("/providers/")[0] + "/providers/Microsoft.Compute/virtualMachines/machine"
        control(command="put", path=machine, body={"location": "westus", "properties": {
            "instanceView": {"statuses": [{"code": "PowerState/running"}]}}})
        control(command="merge", path=path.split("/effectiveRouteTable")[0], body={"properties": {"virtualMachine": {"id": machine}}})
    if method == "DELETE" and "/networkInterfaces/" in path and "effective" in sys.argv[2]:
        control(command="merge", path=path.split("?")[0], body={"properties": {"virtualMachine": None}})
    got = ask(method, target, sent(request["body"]))
    where = f"\n  is      {got}\n  must be {status} {headers} {json.dumps(text)}\n{sys.argv[2].split('/')[-1]} [{at}] {method} {path}"
    assert got[0] == status, where
    names = ("azure-asyncoperation", "location", "etag")
    assert [name for name in names if name in got[1]] == [name for name in names if name in headers], where
    # Where the tape has one version twice, or two, the server has too. The tape's machine changes its interface, and is not played.
    if not ("effective" in sys.argv[2] and "/networkInterfaces/" in path):
        pairs |= set(versions(parsed(got[2]), parsed(text)))
    assert len(pairs) == len({it for it, _ in pairs}) == len({it for _, it in pairs}), f"versions at {where}"
    ours, theirs = plain(parsed(got[2])), plain(parsed(text))
    for side in (ours, theirs):
        # What a machine adds to its interface: the tape's machine is not played.
        if "/networkInterfaces/" in path and isinstance(side, dict):
            for name in ("virtualMachine", "macAddress", "primary"):
                side.get("properties", {}).pop(name, None)
    if "/usages" in path:
        limits = {it["name"]["value"]: dict(it, currentValue=0) for it in theirs["value"]}
        assert all(limits[it["name"]["value"]] == dict(it, currentValue=0) for it in ours["value"]), where
    elif isinstance(theirs, dict) and theirs.get("value") and "source" in theirs["value"][0]:
        assert ours["value"], where
        assert all(set(row) - {"name"} == set(theirs["value"][0]) for row in ours["value"]), where
        assert ours["value"][0] == theirs["value"][0], where
    else:
        assert ours == theirs, where
    for name in ("azure-asyncoperation", "location"):
        if name in headers:
            urls[headers[name]] = got[1][name]
    compared += 1
assert compared > 0, "nothing was compared"
print(f"{sys.argv[2].split('/')[-1]}: {compared} exchanges as on the tape")
