//! `azure-udr`: route tables of Azure, their routes, and the subnets that use them. Pure: documents in, bodies out.
//!
//! - [`Wanted`] is what the topology wants, [`Recorded`] what the state has, [`Seen`] what Azure answered.
//! - `plan` makes the plan from these three. When its step starts, a [`TableTask`], [`SubnetTask`] or
//!   [`InterfaceTask`] compares with the live resource again, and gives the body of the one write.

mod answers;
mod checks;
mod compare;
mod connection;
mod drafts;
mod effective;
mod findings;
mod format;
mod forwarding;
#[cfg(feature = "azure")]
mod import;
mod interface;
pub mod inventory;
#[cfg(not(feature = "azure"))]
mod left_out;
mod live;
mod look;
mod names;
#[cfg(feature = "azure")]
mod operator;
#[cfg(test)]
mod plan_tests;
mod questions;
mod record;
mod route;
mod routes;
mod settings;
mod site;
mod space;
mod step;
mod subnet;
mod subnet_name;
mod table;
mod wanted;
pub mod words;
mod work;

use super::site_kind::{NodeSource, SiteKind};
use crate::resource::{Kind, PlaceKind};

pub use answers::{forwarding_seen, interface_seen, limit_seen, network_seen, subnet_seen, table_seen};
use compare::{covers, plan};
pub use connection::AzureSite;
pub use drafts::arm;
#[cfg(feature = "azure")]
use import::read;
pub use interface::InterfaceTask;
#[cfg(not(feature = "azure"))]
use left_out::{HELP, KEYS, KINDS, connect, read};
pub use live::{LiveInterface, LiveInterfaces, LiveNetwork, LiveRoute, LiveSubnet, LiveTable, Seen, key, name_of};
#[cfg(feature = "azure")]
use operator::{HELP, KEYS, connect};
pub use questions::{Questions, questions};
pub use record::{
    AssociationRecord, Claimed, ForwardingRecord, Recorded, RecordedRoute, RoutesRecord, TableClaims, TableRecord,
    routes_in, shape_of,
};
pub use route::{Hop, Route};
pub use settings::{BACKEND, Given, IpForwarding, Outside, Settings};
pub use subnet::SubnetTask;
pub use subnet_name::SubnetName;
pub use table::{TableTask, TableVerdict};
pub use wanted::{Wanted, WantedRoutes};
pub use work::{AzureTask, EffectiveCheck, Work};

/// Resources of Azure Resource Manager, by their ids. Addresses use the last part of the id.
pub static ARM: PlaceKind = PlaceKind {
    id: "arm",
    form: "arm:ID",
    order: 1,
    name: name_of,
    is_id: |id| !id.is_empty() && !id.contains(char::is_control),
};

/// The backend.
#[derive(Clone, Copy, Debug)]
pub struct AzureUdr;

/// A route table.
pub static AZURE_ROUTE_TABLE: Kind = Kind {
    id: "azure_route_table",
    noun: "route table",
    order: 2,
    retires: 1,
    only_seen: false,
    words: &words::TableWords,
};
/// The routes of a table.
pub static AZURE_ROUTE: Kind =
    Kind { id: "azure_route", noun: "route", order: 3, retires: 1, only_seen: false, words: &words::RouteWords };
/// The association of a subnet with a table. A subnet leaves a table before the table goes.
pub static AZURE_SUBNET_ASSOCIATION: Kind = Kind {
    id: "azure_subnet_association",
    noun: "subnet",
    order: 4,
    retires: 0,
    only_seen: false,
    words: &words::AssociationWords,
};
/// IP forwarding of a network interface. It stays on for as long as routes lead there.
pub static AZURE_NIC_FORWARDING: Kind = Kind {
    id: "azure_nic_forwarding",
    noun: "network interface",
    order: 5,
    retires: 2,
    only_seen: true,
    words: &words::InterfaceWords,
};

/// Azure in the registry.
pub static SITE: SiteKind = SiteKind {
    name: "Azure",
    place: &ARM,
    formats: &[&AzureUdr],
    kinds: KINDS,
    wanted: |desired| Wanted::all(desired).iter().flat_map(Wanted::addresses).collect(),
    table: "azure",
    keys: KEYS,
    help: HELP,
    connect,
    source: Some(NodeSource {
        scheme: "azure://",
        help: "azure://SUBSCRIPTION/RESOURCE_GROUP (its virtual machines and their pod-cidr tags)",
        read,
    }),
};

#[cfg(feature = "azure")]
const KINDS: &[&Kind] = &[&AZURE_ROUTE_TABLE, &AZURE_ROUTE, &AZURE_SUBNET_ASSOCIATION, &AZURE_NIC_FORWARDING];

/// The tag of tables that topo created, and its value.
pub const MANAGED_BY: (&str, &str) = ("managed-by", "topo");
/// The tag of such tables that names the topology.
pub const MADE_FOR: &str = "topology";
