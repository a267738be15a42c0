//! Azure's answers as evidence. A document that has not the form of what was asked for says nothing: what topo cannot
//! read is unknown, not absent.

use std::net::IpAddr;

use serde_json::Value;

use super::names::location;
use super::{LiveInterface, LiveNetwork, LiveSubnet, LiveTable, Peer, key, name_of};
use crate::exchange::arm::{AzureError, Document};
use crate::network::Prefix;
use crate::resource::{Evidence, Why};

/// The name of the limit of routes in a table (Azure's usages).
const ROUTES_LIMIT: &str = "RoutesPerRouteTable";

/// What the client says of a resource: none where Azure answered that it is not there.
type Answer = Result<Option<Document>, AzureError>;

/// What Azure says of the route table with this id.
pub fn table_seen(id: &str, answer: Answer) -> Evidence<LiveTable> {
    evidence(id, answer, |document| {
        check_table(&document.body)?;
        Ok(LiveTable::of(document))
    })
}

/// What Azure says of the subnet with this id.
pub fn subnet_seen(id: &str, answer: Answer) -> Evidence<LiveSubnet> {
    evidence(id, answer, |document| {
        check_subnet(&document.body)?;
        Ok(LiveSubnet::of(document))
    })
}

/// What Azure says of the virtual network with this id.
pub fn network_seen(id: &str, answer: Answer) -> Evidence<LiveNetwork> {
    evidence(id, answer, |document| network(&document.body))
}

/// What Azure says of the network interface with this id, and its document.
pub fn interface_seen(id: &str, answer: Answer) -> Evidence<(LiveInterface, Document)> {
    evidence(id, answer, |document| Ok((interface(&document.body)?, document)))
}

/// What Azure says of the network interface with this id.
pub fn forwarding_seen(id: &str, answer: Answer) -> Evidence<LiveInterface> {
    interface_seen(id, answer).map(|(live, _)| live)
}

/// How many routes a table may have, as a list of usages says.
pub fn limit_seen(usages: Result<Vec<Value>, AzureError>) -> Evidence<u64> {
    let usages = match usages {
        Ok(usages) => usages,
        Err(error) => return Evidence::Unknown(Why::Failed(error.text)),
    };
    match usages.iter().find(|usage| usage["name"]["value"].as_str() == Some(ROUTES_LIMIT)) {
        None => Evidence::Absent,
        Some(usage) => match usage["limit"].as_u64() {
            Some(limit) => Evidence::Seen(limit),
            None => Evidence::Unknown(Why::Failed(unreadable(ROUTES_LIMIT, "limit", "a number"))),
        },
    }
}

fn evidence<T>(id: &str, answer: Answer, read: impl FnOnce(Document) -> Result<T, Odd>) -> Evidence<T> {
    match answer {
        Err(error) => Evidence::Unknown(Why::Failed(error.text)),
        Ok(None) => Evidence::Absent,
        Ok(Some(document)) => match read(document) {
            Ok(live) => Evidence::Seen(live),
            Err(Odd(field, expected)) => Evidence::Unknown(Why::Failed(unreadable(name_of(id), field, expected))),
        },
    }
}

fn unreadable(name: &str, field: &str, expected: &str) -> String {
    format!(
        "topo cannot read Azure's answer about {name}: `{field}` is not {expected}. Check who answers at the endpoint."
    )
}

/// A field, and what it should be.
pub(super) struct Odd(&'static str, &'static str);

fn check_table(body: &Value) -> Result<(), Odd> {
    text(&body["location"], "location")?;
    let properties = object(&body["properties"], "properties")?;
    for route in list(&properties["routes"], "routes")? {
        text(&route["name"], "routes.name")?;
        text(&route["properties"]["addressPrefix"], "routes.addressPrefix")?;
        text(&route["properties"]["nextHopType"], "routes.nextHopType")?;
    }
    flag(&properties["disableBgpRoutePropagation"], "disableBgpRoutePropagation")?;
    ids(&properties["subnets"], "subnets").map(drop)
}

fn check_subnet(body: &Value) -> Result<(), Odd> {
    let properties = object(&body["properties"], "properties")?;
    match &properties["routeTable"] {
        Value::Null => Ok(()),
        table => text(&table["id"], "routeTable.id").map(drop),
    }
}

fn network(body: &Value) -> Result<LiveNetwork, Odd> {
    let location = location(text(&body["location"], "location")?);
    let properties = object(&body["properties"], "properties")?;
    let space = prefixes(&properties["addressSpace"])?;
    let mut peers = Vec::new();
    for peering in list(&properties["virtualNetworkPeerings"], "virtualNetworkPeerings")? {
        peers.extend(peer(&peering["properties"])?);
    }
    let (mut subnets, mut configurations) = (Vec::new(), Vec::new());
    for subnet in list(&properties["subnets"], "subnets")? {
        subnets.extend(subnet["id"].as_str().map(str::to_owned));
        configurations.extend(ids(&subnet["properties"]["ipConfigurations"], "ipConfigurations")?);
    }
    Ok(LiveNetwork { location, space, peers, subnets, configurations })
}

fn prefixes(space: &Value) -> Result<Vec<Prefix>, Odd> {
    let prefixes = list(&space["addressPrefixes"], "addressPrefixes")?;
    let prefixes: Option<Vec<Prefix>> = prefixes.iter().map(|prefix| prefix.as_str()?.parse().ok()).collect();
    let mut prefixes = prefixes.ok_or(Odd("addressPrefixes", "a list of prefixes"))?;
    prefixes.sort_unstable();
    Ok(prefixes)
}

/// The network of a peering that is connected and forwards; none where it is not, or not yet.
pub(super) fn peer(properties: &Value) -> Result<Option<Peer>, Odd> {
    let is_connected = properties["peeringState"].as_str().is_some_and(|it| it.eq_ignore_ascii_case("Connected"));
    // Access is on where nothing is said, forwarding is not.
    let access = &properties["allowVirtualNetworkAccess"];
    let has_access = access.is_null() || flag(access, "allowVirtualNetworkAccess")?;
    if !is_connected || !has_access || !flag(&properties["allowForwardedTraffic"], "allowForwardedTraffic")? {
        return Ok(None);
    }
    let id = text(&properties["remoteVirtualNetwork"]["id"], "remoteVirtualNetwork.id")?.to_owned();
    Ok(Some(Peer { id, space: prefixes(&properties["remoteAddressSpace"])? }))
}

fn interface(body: &Value) -> Result<LiveInterface, Odd> {
    let id = text(&body["id"], "id")?;
    let properties = object(&body["properties"], "properties")?;
    let (mut addresses, mut subnets) = (Vec::new(), Vec::new());
    for configuration in list(&properties["ipConfigurations"], "ipConfigurations")? {
        let properties = &configuration["properties"];
        if !properties["privateIPAddress"].is_null() {
            let address: Option<IpAddr> = properties["privateIPAddress"].as_str().and_then(|text| text.parse().ok());
            addresses.push(address.ok_or(Odd("privateIPAddress", "an address"))?);
        }
        if !properties["subnet"].is_null() {
            subnets.push(text(&properties["subnet"]["id"], "subnet.id")?.to_owned());
        }
    }
    let in_set = key(id).contains("/virtualmachinescalesets/");
    Ok(LiveInterface {
        addresses,
        subnets,
        forwards: flag(&properties["enableIPForwarding"], "enableIPForwarding")?,
        attached: properties["virtualMachine"]["id"].is_string(),
        scale_set: in_set.then(|| id.split('/').take(9).collect::<Vec<_>>().join("/")),
        id: id.to_owned(),
    })
}

fn object<'a>(value: &'a Value, field: &'static str) -> Result<&'a Value, Odd> {
    if value.is_object() { Ok(value) } else { Err(Odd(field, "an object")) }
}

/// Azure leaves out lists that are empty.
fn list<'a>(value: &'a Value, field: &'static str) -> Result<&'a [Value], Odd> {
    match value {
        Value::Null => Ok(&[]),
        Value::Array(values) => Ok(values),
        _ => Err(Odd(field, "a list")),
    }
}

fn ids(value: &Value, field: &'static str) -> Result<Vec<String>, Odd> {
    list(value, field)?.iter().map(|one| text(&one["id"], field).map(str::to_owned)).collect()
}

fn text<'a>(value: &'a Value, field: &'static str) -> Result<&'a str, Odd> {
    value.as_str().filter(|text| !text.is_empty()).ok_or(Odd(field, "a text"))
}

/// Azure leaves out settings that have their usual value.
fn flag(value: &Value, field: &'static str) -> Result<bool, Odd> {
    if value.is_null() { Ok(false) } else { value.as_bool().ok_or(Odd(field, "true or false")) }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::exchange::arm::AzureFailure;

    fn document(body: Value) -> Document {
        Document { body, etag: None }
    }

    fn failed() -> AzureError {
        AzureError { failure: AzureFailure::Refused, text: "It was refused.".to_owned() }
    }

    /// The field that could not be read.
    fn odd<T: std::fmt::Debug>(evidence: Evidence<T>) -> String {
        let Evidence::Unknown(Why::Failed(why)) = evidence else { panic!("{evidence:?}") };
        why.split('`').nth(1).unwrap_or(&why).to_owned()
    }

    #[test]
    fn only_an_answer_says_that_something_is_absent() {
        assert!(matches!(table_seen("a/t", Ok(None)), Evidence::Absent));
        assert_eq!(odd(table_seen("a/t", Err(failed()))), "It was refused.");
        assert!(matches!(subnet_seen("a/s", Ok(None)), Evidence::Absent));
        assert_eq!(odd(subnet_seen("a/s", Err(failed()))), "It was refused.");
    }

    #[test]
    fn a_table_that_cannot_be_read_is_unknown() {
        let with = |properties: Value| {
            table_seen("a/t", Ok(Some(document(json!({ "location": "x", "properties": properties })))))
        };
        let route = json!({ "name": "r", "properties": { "addressPrefix": "10.0.0.0/8", "nextHopType": "None" } });
        let Evidence::Seen(table) = with(json!({ "routes": [route] })) else { panic!() };
        assert_eq!(table.routes.len(), 1);
        assert!(matches!(with(json!({})), Evidence::Seen(_)), "an empty list may be left out");
        assert_eq!(odd(with(Value::Null)), "properties");
        assert_eq!(odd(with(json!({ "routes": {} }))), "routes");
        assert_eq!(odd(with(json!({ "routes": [{ "properties": route["properties"] }] }))), "routes.name");
        let odd_route = json!({ "name": "r", "properties": { "addressPrefix": 7, "nextHopType": "None" } });
        assert_eq!(odd(with(json!({ "routes": [odd_route] }))), "routes.addressPrefix");
        assert_eq!(odd(with(json!({ "subnets": [{}] }))), "subnets");
        assert_eq!(odd(with(json!({ "disableBgpRoutePropagation": "yes" }))), "disableBgpRoutePropagation");
    }

    #[test]
    fn a_subnet_whose_table_cannot_be_read_is_unknown() {
        let with = |properties: Value| subnet_seen("a/s", Ok(Some(document(json!({ "properties": properties })))));
        let Evidence::Seen(subnet) = with(json!({ "routeTable": null })) else { panic!() };
        assert_eq!(subnet.table, None);
        assert_eq!(odd(with(json!({ "routeTable": {} }))), "routeTable.id");
        assert_eq!(odd(with(json!({ "routeTable": "t" }))), "routeTable.id");
        assert_eq!(odd(with(json!([]))), "properties");
    }

    #[test]
    fn a_network_with_one_prefix_that_cannot_be_read_is_unknown() {
        let with = |prefixes: Value| {
            let properties = json!({ "addressSpace": { "addressPrefixes": prefixes } });
            network_seen("a/n", Ok(Some(document(json!({ "location": "x", "properties": properties })))))
        };
        let Evidence::Seen(network) = with(json!(["10.0.0.0/8"])) else { panic!() };
        assert_eq!(network.space.len(), 1);
        assert_eq!(odd(with(json!(["10.0.0.0/8", "10.1.0.0/99"]))), "addressPrefixes");
        assert_eq!(odd(with(json!("10.0.0.0/8"))), "addressPrefixes");
    }

    #[test]
    fn peers_are_connected_and_forward() {
        let with = |change: &dyn Fn(&mut Value)| {
            let mut peering = json!({ "properties": {
                "peeringState": "Connected", "allowForwardedTraffic": true, "allowVirtualNetworkAccess": true,
                "remoteVirtualNetwork": { "id": "a/m" }, "remoteAddressSpace": { "addressPrefixes": ["10.1.0.0/16"] },
            } });
            change(&mut peering["properties"]);
            let properties = json!({
                "addressSpace": { "addressPrefixes": ["10.0.0.0/16"] }, "virtualNetworkPeerings": [peering],
            });
            network_seen("a/n", Ok(Some(document(json!({ "location": "x", "properties": properties })))))
        };
        let reach = |evidence: Evidence<LiveNetwork>| match evidence {
            Evidence::Seen(network) => network.reach().map(ToString::to_string).collect::<Vec<_>>(),
            other => panic!("{other:?}"),
        };
        assert_eq!(reach(with(&|_| ())), ["10.0.0.0/16", "10.1.0.0/16"]);
        for (field, value) in [
            ("peeringState", json!("Initiated")),
            ("peeringState", json!("Disconnected")),
            ("allowForwardedTraffic", json!(false)),
            ("allowForwardedTraffic", Value::Null),
            ("allowVirtualNetworkAccess", json!(false)),
        ] {
            assert_eq!(reach(with(&|peering| peering[field] = value.clone())), ["10.0.0.0/16"], "{field}: {value}");
        }
        assert_eq!(
            odd(with(&|peering| peering["remoteAddressSpace"]["addressPrefixes"] = json!("x"))),
            "addressPrefixes"
        );
        assert_eq!(odd(with(&|peering| peering["remoteVirtualNetwork"] = Value::Null)), "remoteVirtualNetwork.id");
    }

    #[test]
    fn an_interface_that_cannot_be_read_is_unknown() {
        let with = |properties: Value| {
            interface_seen("a/i", Ok(Some(document(json!({ "id": "a/i", "properties": properties })))))
        };
        assert!(matches!(with(json!({ "enableIPForwarding": true })), Evidence::Seen((live, _)) if live.forwards));
        assert!(matches!(with(json!({})), Evidence::Seen((live, _)) if !live.forwards));
        assert_eq!(odd(with(json!({ "enableIPForwarding": "true" }))), "enableIPForwarding");
        let address = json!([{ "properties": { "privateIPAddress": "10.0.0" } }]);
        assert_eq!(odd(with(json!({ "ipConfigurations": address }))), "privateIPAddress");
    }

    #[test]
    fn a_limit_is_named_or_not_or_unknown() {
        let usage = |limit: Value| vec![json!({ "name": { "value": ROUTES_LIMIT }, "limit": limit })];
        assert_eq!(limit_seen(Ok(usage(json!(600)))), Evidence::Seen(600));
        assert_eq!(limit_seen(Ok(Vec::new())), Evidence::Absent);
        assert_eq!(odd(limit_seen(Ok(usage(json!("600"))))), "limit");
        assert_eq!(odd(limit_seen(Err(failed()))), "It was refused.");
    }
}
