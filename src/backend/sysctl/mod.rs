//! `sysctl`: kernel settings that forwarding needs, live and in a file that sets them at each boot.

mod attributes;
mod boot;
mod content;
mod devices;
mod findings;
mod format;
mod pattern;
mod plan;
mod settings;
mod words;

use std::net::IpAddr;

use serde::Deserialize;

use self::attributes::Attributes;
pub use self::settings::BACKEND;
use self::settings::Settings;
use super::mesh::{Mesh, served};
use super::node::Seen;
use super::{Backend, Desired, Header, PlannedResource, ResourceEnd, ResourceInput, Settled};
use crate::exchange::node::{DeviceSetting, KernelKey, Reply, Request, RouteOutcome, ValuesInquiry, ValuesSet};
use crate::network::{Family, Memo, Prefix};
use crate::plan::{Operation, ResourcePlan, TablePlan};
use crate::resource::{Kind, Name, Record, ResourceId, Shape, Token};
use crate::topology::{BackendTable, Node, Topology};

/// The name of the file. Files with later names win over it.
const FILE: &str = "60-topo.conf";

/// The kind of its resources: the file of one node, and the live values.
pub static SYSCTL_FILE: Kind =
    Kind { id: "sysctl_file", noun: "file", order: 6, retires: 0, only_seen: false, words: &words::SettingsWords };

/// The backend.
#[derive(Clone, Copy, Debug)]
pub struct Sysctl;

/// The path of the file. Its name comes from a state file, and the exchange refuses strange ones.
fn path_of(name: &str) -> String {
    format!("/etc/sysctl.d/{name}")
}

impl Backend for Sysctl {
    fn kind(&self) -> &'static Kind {
        &SYSCTL_FILE
    }

    fn desire(&self, topology: &Topology, _: &Mesh<'_>, name: &Name, table: &BackendTable, desired: &mut Desired) {
        let settings = Settings::deserialize(&table.settings).unwrap_or_default();
        let id = ResourceId { backend: name.clone(), kind: SYSCTL_FILE.id.into(), name: FILE.into() };
        let neighbours = Neighbours::new(topology);
        for (_, node, place) in served(topology, table, desired) {
            let mut attributes = Attributes::default();
            let mut set = |key: KernelKey, value: &str| _ = attributes.values.insert(key, value.to_owned());
            if settings.ip_forward {
                set(KernelKey::ip_forward(), "1");
                let has_v6 = node.addresses.iter().any(IpAddr::is_ipv6)
                    || node.pods.iter().any(|pods| pods.family() == Family::V6);
                if has_v6 {
                    set(KernelKey::ipv6_forwarding(), "1");
                }
            }
            if let Some(filter) = settings.rp_filter {
                for device in ["all", "default"].iter().filter_map(|one| DeviceSetting::REVERSE_PATH_FILTER.of(one)) {
                    set(device, filter.value());
                }
            }
            if !attributes.values.is_empty() {
                attributes.reached = neighbours.of(node);
                attributes.devices = node.interface.iter().map(ToString::to_string).collect();
                place.resources.insert(id.clone(), Shape { routes: None, attributes: attributes.to_value().into() });
            }
        }
    }

    fn questions(&self, name: &str, wanted: Option<&Shape>, record: Option<&Record>, _: &mut Memo) -> Vec<Request> {
        let wanted = wanted.map(Attributes::of);
        let recorded: Vec<Attributes> = record.into_iter().flat_map(Record::shapes).map(Attributes::of).collect();
        let mut keys: Vec<KernelKey> = wanted
            .iter()
            .chain(&recorded)
            .flat_map(|one| one.values.keys().chain(one.before.keys()).cloned())
            .collect();
        keys.sort_unstable();
        keys.dedup();
        let wanted = wanted.unwrap_or_default();
        let of_devices = [
            (wanted.is_per_device(), DeviceSetting::REVERSE_PATH_FILTER),
            (wanted.values.contains_key(&KernelKey::ip_forward()), DeviceSetting::FORWARDING),
        ];
        vec![Request::Values(ValuesInquiry {
            advertised: wanted.values.contains_key(&KernelKey::ipv6_forwarding()),
            keys,
            of_devices: of_devices.into_iter().filter(|(is_asked, _)| *is_asked).map(|(_, setting)| setting).collect(),
            devices: wanted.devices,
            reached: wanted.reached,
            whole: path_of(name),
        })]
    }

    fn fits(&self, wanted: &Shape, recorded: &Shape) -> bool {
        Attributes::of(recorded).fits(&Attributes::of(wanted))
    }

    fn is_answered(&self, name: &str, seen: &Seen) -> bool {
        seen.values(&path_of(name)).is_some()
    }

    fn plan_resource(&self, input: &ResourceInput<'_>) -> Option<PlannedResource> {
        plan::plan(input)
    }

    fn resource_request(&self, plan: &ResourcePlan, header: &Header) -> Option<Request> {
        plan::request(plan, header).map(Request::SetValues)
    }

    fn resource_end(&self, reply: &Reply) -> ResourceEnd {
        let (failure, touched) = match reply {
            Reply::ValuesSet(ValuesSet::Done) => (None, true),
            Reply::ValuesSet(ValuesSet::Moved) => {
                let said = "The kernel settings or their file have changed since the plan. topo did not change them.";
                (Some(said.to_owned()), false)
            }
            Reply::ValuesSet(ValuesSet::Refused(said)) => (Some(said.clone()), false),
            Reply::ValuesSet(ValuesSet::PutBack(said)) => {
                (Some(format!("{said} topo has put back what it had changed.")), true)
            }
            _ => (Some("The node did not report the outcome of its kernel settings.".to_owned()), true),
        };
        ResourceEnd { failure, touched }
    }

    /// It has no routes.
    fn request(&self, _: &TablePlan, _: &[Operation], _: Option<&Token>) -> Option<Request> {
        None
    }

    /// It has no routes.
    fn settle(&self, _: &[Operation], _: &RouteOutcome) -> Settled {
        Settled::default()
    }
}

/// Addresses by which nodes find the devices of their routes: of each network its gateways and some nodes.
struct Neighbours(Vec<(Prefix, Vec<IpAddr>)>);

impl Neighbours {
    fn new(topology: &Topology) -> Self {
        let subnets = topology.subnets.values();
        let mut links: Vec<(Prefix, Vec<IpAddr>)> = subnets
            .flat_map(|subnet| {
                let gateways = |prefix: &Prefix| {
                    let is_fitting = |gateway: &&IpAddr| Family::of(**gateway) == prefix.family();
                    subnet.gateway.iter().filter(is_fitting).copied().collect()
                };
                subnet.cidr.iter().map(move |prefix| (*prefix, gateways(prefix)))
            })
            .collect();
        if links.is_empty() {
            links = ["0.0.0.0/0", "::/0"].iter().filter_map(|text| Some((text.parse().ok()?, Vec::new()))).collect();
        }
        for address in topology.nodes.values().flat_map(|node| node.addresses.iter()) {
            let link = links.iter_mut().find(|(prefix, addresses)| addresses.len() < 3 && prefix.contains(*address));
            if let Some((_, addresses)) = link {
                addresses.push(*address);
            }
        }
        Self(links)
    }

    /// Neighbours of a node, and an address in each of its own pod subnets: the device of that is the bridge of the pods.
    fn of(&self, node: &Node) -> Vec<IpAddr> {
        let mut reached = Vec::new();
        for (prefix, addresses) in &self.0 {
            if node.addresses.iter().any(|address| prefix.contains(*address)) {
                reached.extend(addresses.iter().filter(|address| !node.addresses.contains(address)).take(2));
            }
        }
        reached.extend(node.pods.iter().map(address_in));
        reached
    }
}

/// An address in a prefix that is not the bridge's own, which is mostly the first one.
fn address_in(prefix: &Prefix) -> IpAddr {
    match prefix.address() {
        IpAddr::V4(address) if prefix.length() < 31 => IpAddr::V4((u32::from(address) + 2).into()),
        IpAddr::V6(address) if prefix.length() < 127 => IpAddr::V6((u128::from(address) + 2).into()),
        address => address,
    }
}
