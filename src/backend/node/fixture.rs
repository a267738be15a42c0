//! Meshes for tests of what a plan looks like.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;

use crate::backend::Desired;
use crate::backend::node::{Observation, Seen, plan};
use crate::backend::{Inputs, REGISTRY};
use crate::exchange::node::{Listed, LiveRoute, Part};
use crate::network::{MAIN_TABLE, Memo, Prefix, RouteSet, Row, Rows, View};
use crate::plan::{DesiredPlace, Options, Plan};
use crate::resource::{Name, Place, Record, ResourceId, Shape, Token};
use crate::state::{PlaceRecord, State};

#[derive(Clone, Debug)]
pub(crate) struct Member {
    pub(crate) name: String,
    pub(crate) address: IpAddr,
    pub(crate) pods: Vec<Prefix>,
    pub(crate) subnet: u32,
}

/// Nodes with pods behind them.
#[derive(Clone, Debug)]
pub(crate) struct World(pub(crate) Vec<Member>);

pub(crate) fn prefix(text: &str) -> Prefix {
    text.parse().expect("prefix")
}

pub(crate) fn place(name: &str) -> Place {
    Place::from(Name::new(name).expect("name"))
}

pub(crate) fn kernel_route() -> ResourceId {
    "ssh-static/kernel_route".parse().expect("resource")
}

fn network(subnet: u32) -> u32 {
    u32::from(Ipv4Addr::new(10, 128, 0, 0)) + subnet * 8192
}

fn prefix_of(address: u32, length: u8) -> Prefix {
    format!("{}/{length}", v4(address)).parse().expect("prefix")
}

fn v4(bits: u32) -> IpAddr {
    Ipv4Addr::from(bits).into()
}

impl World {
    /// `node-0`, `node-1`, … with a pod subnet each, in subnets of so many nodes.
    pub(crate) fn mesh(nodes: u32, per_subnet: u32) -> Self {
        let member = |index: u32| Member {
            name: format!("node-{index}"),
            address: v4(network(index / per_subnet) + 10 + index % per_subnet),
            pods: vec![prefix_of(u32::from(Ipv4Addr::new(172, 16, 0, 0)) + index * 256, 24)],
            subnet: index / per_subnet,
        };
        Self((0..nodes).map(member).collect())
    }

    pub(crate) fn rows(&self) -> Rows {
        let rows = |member: &Member| {
            member.pods.iter().map(|pods| Row { destination: *pods, owner: member.address }).collect::<Vec<_>>()
        };
        self.0.iter().flat_map(rows).collect()
    }

    pub(crate) fn desired(&self) -> Desired {
        let rows = self.rows();
        let mut views: BTreeMap<u32, Arc<View>> = BTreeMap::new();
        let mut desired = Desired::default();
        for member in &self.0 {
            let view = views.entry(member.subnet).or_insert_with(|| {
                Arc::new(View {
                    table: MAIN_TABLE,
                    metric: None,
                    protocol: 201,
                    device: None,
                    on_link: vec![prefix_of(network(member.subnet), 19)],
                    via: vec![v4(network(member.subnet) + 1)],
                    gateway_on_link: false,
                })
            });
            let set = RouteSet {
                rows: rows.clone(),
                view: Arc::clone(view),
                own: Arc::from([member.address]),
                excluded: Arc::default(),
            };
            let resources = [(kernel_route(), Shape::of_routes(set))].into();
            desired.places.insert(
                place(&member.name),
                DesiredPlace { addresses: Arc::from([member.address]), resources, ..DesiredPlace::default() },
            );
        }
        desired
    }

    /// The state after this was applied.
    pub(crate) fn state(&self) -> State {
        let mut state = State::new(Name::new("mesh").expect("name")).expect("lineage");
        for (place, wanted) in self.desired().places {
            let settle = |(id, is)| (id, Record::Settled { is, token: None });
            let resources = wanted.resources.into_iter().map(settle).collect();
            state.places.insert(place, PlaceRecord { resources, ..PlaceRecord::default() });
        }
        state
    }
}

/// What a node answers: the routes that the state has for it, changed by a function.
pub(crate) fn seen(state: &State, name: &str, edit: impl Fn(&mut Vec<LiveRoute>)) -> (Place, Observation) {
    let place = place(name);
    let record = state.record(&place, &kernel_route());
    let mut rows: Vec<LiveRoute> = record
        .into_iter()
        .flat_map(Record::shapes)
        .filter_map(|shape| shape.routes.as_ref())
        .flat_map(RouteSet::routes)
        .map(|route| live(&route.destination.to_string(), &route.next_hop.to_string(), 201))
        .collect();
    edit(&mut rows);
    let (ours, foreign) = rows.into_iter().partition(|row| row.protocol == 201);
    let listed = Listed {
        token: Token::of("a", "b"),
        tunnels: Vec::new(),
        ours: Part::Sent(ours),
        foreign: Part::Sent(foreign),
    };
    let seen = Seen { tables: vec![(MAIN_TABLE, listed)], ..Seen::default() };
    (place, Observation::Seen(Box::new(seen)))
}

pub(crate) fn live(destination: &str, next_hop: &str, protocol: u8) -> LiveRoute {
    LiveRoute {
        destination: prefix(destination),
        next_hop: Some(next_hop.parse().expect("address")),
        device: Some("eth0".to_owned()),
        protocol,
        metric: 0,
        plain: true,
        attributes: None,
    }
}

pub(crate) fn plan_of(desired: &Desired, state: &State, seen: Vec<(Place, Observation)>, options: &Options) -> Plan {
    let observed = seen.into_iter().collect();
    let name = Name::new("mesh").expect("name");
    let inputs = Inputs { topology: &name, desired, recorded: state, options };
    plan(&inputs, REGISTRY.on_nodes, &observed, &mut Memo::default())
}
