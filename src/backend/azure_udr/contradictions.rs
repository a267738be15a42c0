//! Answers of Azure that contradict each other.
//!
//! Azure's reads agree with its writes only after a while. So a 404 proves nothing where another answer names the resource: then it
//! is unknown, and topo neither creates it nor drops its record.

use std::collections::BTreeMap;

use super::{Seen, key, name_of};
use crate::resource::{Evidence, Why};

/// Ids of resources in small letters, each with the answer that names it, in words.
type Named = BTreeMap<String, String>;

impl Seen {
    /// Makes unknown what is absent by its own answer and there by another one.
    pub(super) fn doubt_contradictions(&mut self) {
        let (mut tables, mut subnets, mut networks, mut interfaces) = <(Named, Named, Named, Named)>::default();
        for (id, live) in seen(&self.subnets) {
            let (network, name) = id.rsplit_once("/subnets/").unwrap_or((id, id));
            let shown = format!("{}/{}", name_of(network), name);
            networks.insert(network.to_owned(), format!("its subnet {shown} does"));
            tables.extend(live.table.iter().map(|table| (key(table), format!("the subnet {shown} uses it"))));
        }
        for (id, live) in seen(&self.tables) {
            let said = format!("the route table {} names it", name_of(id));
            subnets.extend(live.subnets.iter().map(|subnet| (key(subnet), said.clone())));
        }
        for (id, live) in seen(&self.networks) {
            let said = format!("the virtual network {} names it", name_of(id));
            subnets.extend(live.subnets.iter().map(|subnet| (key(subnet), said.clone())));
        }
        for live in self.interfaces.values().flat_map(|interfaces| &interfaces.found) {
            interfaces.insert(key(&live.id), "a list of network interfaces names it".to_owned());
        }
        self.doubt_old_subnets();
        doubt(&mut self.tables, "route table", &tables);
        doubt(&mut self.subnets, "subnet", &subnets);
        doubt(&mut self.networks, "virtual network", &networks);
        doubt(&mut self.forwardings, "network interface", &interfaces);
    }

    /// Makes unknown a subnet that uses no table by its own answer, and is used by one that says so.
    fn doubt_old_subnets(&mut self) {
        let users = seen(&self.tables)
            .flat_map(|(id, live)| live.subnets.iter().map(move |subnet| (key(subnet), id.to_owned())));
        let users: Vec<(String, String)> = users.collect();
        for (id, table) in users {
            let Some(answer) = self.subnets.get_mut(&id) else { continue };
            if matches!(answer, Evidence::Seen(live) if live.table.is_none()) {
                *answer = Evidence::Unknown(Why::Failed(format!(
                    "Azure's answers contradict each other: the subnet {} uses no route table, but the route table {} says that the \
                     subnet uses it. Wait a minute, and run topo again.",
                    name_of(&id),
                    name_of(&table)
                )));
            }
        }
    }
}

fn seen<T>(answers: &BTreeMap<String, Evidence<T>>) -> impl Iterator<Item = (&str, &T)> {
    answers.iter().filter_map(|(id, answer)| match answer {
        Evidence::Seen(live) => Some((id.as_str(), live)),
        Evidence::Absent | Evidence::Unknown(_) => None,
    })
}

fn doubt<T>(answers: &mut BTreeMap<String, Evidence<T>>, what: &str, named: &Named) {
    for (id, answer) in answers.iter_mut().filter(|(_, answer)| matches!(answer, Evidence::Absent)) {
        if let Some(said) = named.get(id) {
            *answer = Evidence::Unknown(Why::Failed(format!(
                "Azure's answers contradict each other: the {what} {} does not exist, but {said}. Wait a minute, and run topo again.",
                name_of(id)
            )));
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::{LiveInterface, LiveInterfaces, LiveNetwork, LiveSubnet, LiveTable};
    use super::*;
    use crate::exchange::arm::Document;

    fn document(body: serde_json::Value) -> Document {
        Document { body, etag: None }
    }

    fn table() -> Evidence<LiveTable> {
        let subnets = json!([{ "id": "/g/virtualNetworks/V/subnets/S" }]);
        Evidence::Seen(LiveTable::of(document(json!({ "properties": { "subnets": subnets } }))))
    }

    fn subnet() -> Evidence<LiveSubnet> {
        let properties = json!({ "routeTable": { "id": "/G/routeTables/T" } });
        Evidence::Seen(LiveSubnet::of(document(json!({ "properties": properties }))))
    }

    fn network() -> Evidence<LiveNetwork> {
        let subnets = vec!["/g/virtualNetworks/v/subnets/s".to_owned()];
        Evidence::Seen(LiveNetwork { subnets, ..LiveNetwork::default() })
    }

    fn answers(
        table: Evidence<LiveTable>,
        subnet: Evidence<LiveSubnet>,
        network: Evidence<LiveNetwork>,
    ) -> (Evidence<LiveTable>, Evidence<LiveSubnet>, Evidence<LiveNetwork>) {
        let of = |id: &str| id.to_owned();
        let mut seen = Seen::default();
        seen.tables.insert(of("/g/routetables/t"), table);
        seen.subnets.insert(of("/g/virtualnetworks/v/subnets/s"), subnet);
        seen.networks.insert(of("/g/virtualnetworks/v"), network);
        seen.doubt_contradictions();
        let table = seen.tables.into_values().next().expect("the table");
        let subnet = seen.subnets.into_values().next().expect("the subnet");
        (table, subnet, seen.networks.into_values().next().expect("the network"))
    }

    #[test]
    fn what_another_answer_names_is_not_absent() {
        let (found, ..) = answers(Evidence::Absent, subnet(), network());
        let text = found.as_ref().known().err().map(|why| why.to_string()).unwrap_or_default();
        assert!(text.contains("the route table t does not exist, but the subnet v/s uses it"), "{text}");
        let (_, found, _) = answers(table(), Evidence::Absent, Evidence::Absent);
        assert!(found.is_unknown());
        let (_, found, _) = answers(Evidence::Absent, Evidence::Absent, network());
        assert!(found.is_unknown());
        let (.., found) = answers(Evidence::Absent, subnet(), Evidence::Absent);
        let text = found.as_ref().known().err().map(|why| why.to_string()).unwrap_or_default();
        assert!(text.contains("the virtual network v does not exist, but its subnet v/s does. Wait"), "{text}");
    }

    #[test]
    fn a_subnet_that_its_table_claims_is_not_without_a_table() {
        let alone = || Evidence::Seen(LiveSubnet::of(document(json!({ "properties": {} }))));
        let (_, found, _) = answers(table(), alone(), network());
        assert!(found.is_unknown());
        let other = Evidence::Seen(LiveTable::of(document(json!({ "properties": {} }))));
        let (_, found, _) = answers(other, alone(), network());
        assert!(!found.is_unknown());
    }

    #[test]
    fn what_nobody_names_is_absent() {
        let (table, subnet, network) = answers(Evidence::Absent, Evidence::Absent, Evidence::Absent);
        assert!(matches!(table, Evidence::Absent));
        assert!(matches!(subnet, Evidence::Absent) && matches!(network, Evidence::Absent));
        let alone = Evidence::Seen(LiveSubnet::of(document(json!({ "properties": {} }))));
        let (table, ..) = answers(Evidence::Absent, alone, self::network());
        assert!(matches!(table, Evidence::Absent));
    }

    #[test]
    fn an_interface_that_a_list_has_is_not_absent() {
        let live = LiveInterface {
            id: "/g/networkInterfaces/N".to_owned(),
            addresses: Vec::new(),
            subnets: Vec::new(),
            forwards: true,
            scale_set: None,
            attached: true,
        };
        for (id, unknown) in [("/g/networkinterfaces/n", true), ("/g/networkinterfaces/m", false)] {
            let mut seen = Seen::default();
            seen.forwardings.insert(id.to_owned(), Evidence::Absent);
            let interfaces = LiveInterfaces { found: vec![live.clone()], unread: Vec::new() };
            seen.interfaces.insert("/g/virtualnetworks/v".to_owned(), interfaces);
            seen.doubt_contradictions();
            assert_eq!(seen.forwardings[id].is_unknown(), unknown, "{id}");
        }
    }
}
