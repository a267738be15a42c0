"""The calls of the judge `sdk`: azure-mgmt-network against the test server."""

import json
import sys
import urllib.request

from azure.core.credentials import AccessToken
from azure.core.exceptions import HttpResponseError, ResourceNotFoundError
from azure.core.polling import LROPoller
from azure.mgmt.network import NetworkManagementClient
from importlib.metadata import version

about = json.load(open(sys.argv[1]))
group, table, network, subnet = "kubernetes", "kubernetes-routes", "kubernetes-vnet", "kubernetes-subnet"


class Identity:
    """A token from the server's managed identity endpoint."""

    def get_token(self, *scopes, **_):
        url = about["identity_endpoint"] + "?api-version=2019-08-01&resource=https://management.azure.com/"
        request = urllib.request.Request(url, headers={"X-IDENTITY-HEADER": about["identity_header"]})
        answer = json.load(urllib.request.urlopen(request))
        return AccessToken(answer["access_token"], int(answer["expires_on"]))


def control(**command):
    urllib.request.urlopen(urllib.request.Request(about["control"], data=json.dumps(command).encode())).read()


def done(poller):
    assert isinstance(poller, LROPoller), poller
    result = poller.result(60)
    assert poller.status() == "Succeeded", poller.status()
    return result


def refused(code, call):
    try:
        result = call()
        if isinstance(result, LROPoller):
            result.result(60)
    except HttpResponseError as error:
        assert error.error and error.error.code == code, (code, error)
        return error
    raise AssertionError(f"{code} was expected")


client = NetworkManagementClient(
    Identity(), about["subscription"], base_url=about["endpoint"], api_version="2024-01-01", polling_interval=1,
    credential_scopes=["https://management.azure.com/.default"], retry_total=0,
)
control(command="pace", polls=2)


def hop(worker):
    return {"address_prefix": f"10.200.{worker}.0/24", "next_hop_type": "VirtualAppliance",
            "next_hop_ip_address": f"10.240.0.2{worker}"}


# The table, its routes, their list.
made = done(client.route_tables.begin_create_or_update(group, table, {"location": "eastus2"}))
assert (made.provisioning_state, made.routes, made.disable_bgp_route_propagation) == ("Succeeded", [], False), made
for worker in (0, 1):
    route = done(client.routes.begin_create_or_update(group, table, f"worker-{worker}", hop(worker)))
    assert route.provisioning_state == "Succeeded" and route.next_hop_ip_address == f"10.240.0.2{worker}", route
control(command="page-size", size=1)
assert [route.name for route in client.routes.list(group, table)] == ["worker-0", "worker-1"]
assert len(list(client.network_interfaces.list_all())) == 3
assert [it.name for it in client.route_tables.list_all()] == [table]
assert [it.name for it in client.virtual_networks.list(group)] == [network]
control(command="page-size", size=100)
refused("RouteConflict", lambda: client.routes.begin_create_or_update(group, table, "other", hop(1)))

# The association: read, changed, written as a whole.
before = client.subnets.get(group, network, subnet)
before.route_table = {"id": made.id}
after = done(client.subnets.begin_create_or_update(group, network, subnet, before))
assert after.route_table.id == made.id and after.network_security_group and after.service_endpoints, after
assert [it.id for it in client.route_tables.get(group, table).subnets] == [after.id]
refused("InUseRouteTableCannotBeDeleted", lambda: client.route_tables.begin_delete(group, table))

# What is in force, and forwarding.
routes = done(client.network_interfaces.begin_get_effective_route_table(group, "worker-0-nic"))
assert any(it.source == "User" and it.address_prefix == ["10.200.1.0/24"] for it in routes.value), routes
nic = client.network_interfaces.get(group, "worker-0-nic")
nic.enable_ip_forwarding = True
nic = done(client.network_interfaces.begin_create_or_update(group, "worker-0-nic", nic))
assert nic.enable_ip_forwarding and nic.virtual_machine.id.endswith("/worker-0"), nic
tagged = client.route_tables.update_tags(group, table, {"tags": {"owner": "topo"}})
assert tagged.tags == {"owner": "topo"} and len(tagged.routes) == 2, tagged

# An operation that fails, two writes at once, an old version.
control(command="fault", method="PUT", path="/routes/", effect={
    "kind": "fail-operation", "code": "InternalServerError", "message": "An error occurred."})
refused("InternalServerError", lambda: client.routes.begin_create_or_update(group, table, "worker-2", hop(2)))
running = client.routes.begin_create_or_update(group, table, "worker-2", hop(2))
refused("RetryableError", lambda: client.routes.begin_delete(group, table, "worker-0"))
done(running)
running = client.subnets.begin_create_or_update(group, network, subnet, after)
refused("AnotherOperationInProgress", lambda: client.subnets.begin_create_or_update(group, network, subnet, after))
done(running)
error = refused("PreconditionFailed", lambda: client.route_tables.begin_create_or_update(
    group, table, {"location": "eastus2"}, headers={"If-Match": made.etag}))
assert error.status_code == 412 and error.error.details[0].code == "PreconditionFailedEtagMismatch", error
usages = {it.name.value: it.limit for it in client.usages.list("eastus2")}
assert usages["RoutesPerRouteTable"] == 400, usages

# Back to nothing.
after = client.subnets.get(group, network, subnet)
after.route_table = None
after = done(client.subnets.begin_create_or_update(group, network, subnet, after))
assert after.route_table is None, after
assert done(client.routes.begin_delete(group, table, "worker-0")) is None
assert done(client.route_tables.begin_delete(group, table)) is None
assert done(client.route_tables.begin_delete(group, table)) is None
try:
    client.route_tables.get(group, table)
    raise AssertionError("the table is still there")
except ResourceNotFoundError as error:
    assert error.error.code == "ResourceNotFound", error
print(f"azure-mgmt-network {version('azure-mgmt-network')}: all calls as they must be")
