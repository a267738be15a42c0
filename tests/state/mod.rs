//! The state: its document, its journal, its store and lock, and the commands on it.

mod command;
mod damage;
mod document;
pub(crate) mod golden;
mod journal;
mod lock;
mod scale;
mod store;

use std::collections::BTreeSet;
use std::sync::Arc;

use proptest::prelude::*;
use serde_json::{Value, json};
use topo::backend::azure_udr::ARM;
use topo::network::{MAIN_TABLE, Prefix, RouteSet, Row, Rows, View};
use topo::resource::{Endpoint, Name, Place, Record, ResourceId, Resources, Shape, Token};
use topo::state::{Identifier, Kept, PlaceRecord, State};

pub(crate) fn name(text: &str) -> Name {
    Name::new(text).expect("name")
}

pub(crate) fn node(number: usize) -> Place {
    Place::from(name(&format!("node-{number}")))
}

pub(crate) fn kernel_route() -> ResourceId {
    "ssh-static/kernel_route".parse().expect("resource")
}

pub(crate) fn prefix(text: &str) -> Prefix {
    text.parse().expect("prefix")
}

pub(crate) fn pods(node: usize) -> Prefix {
    prefix(&format!("10.{}.{}.0/24", 100 + node / 256, node % 256))
}

pub(crate) fn address(node: usize) -> std::net::IpAddr {
    format!("10.240.{}.{}", node / 200, node % 200 + 10).parse().expect("address")
}

pub(crate) fn rows(nodes: impl IntoIterator<Item = usize>) -> Rows {
    nodes.into_iter().map(|node| Row { destination: pods(node), owner: address(node) }).collect()
}

pub(crate) fn view() -> Arc<View> {
    Arc::new(View {
        table: MAIN_TABLE,
        metric: None,
        protocol: 201,
        device: None,
        on_link: vec![prefix("10.240.0.0/16")],
        via: vec![],
        gateway_on_link: false,
    })
}

/// Nodes with a full mesh between them, settled.
pub(crate) fn mesh(count: usize) -> State {
    let (rows, view) = (rows(0..count), view());
    let record = |number: usize| PlaceRecord {
        endpoint: Some(Endpoint { host: address(number).to_string(), port: None, user: None, sudo: false }),
        machine_id: Some(format!("{number:032x}").into()),
        resources: Resources::from([(
            kernel_route(),
            Record::Settled {
                is: Shape::of_routes(RouteSet {
                    rows: rows.clone(),
                    view: Arc::clone(&view),
                    own: Arc::from([address(number)]),
                    excluded: Arc::default(),
                }),
                token: Some(Token::new(format!("{number:064x}"))),
            },
        )]),
        ..PlaceRecord::default()
    };
    State {
        lineage: Identifier::from_bytes([7; 16]),
        serial: 3,
        topology: name("kthw"),
        run: None,
        places: (0..count).map(|number| (node(number), record(number))).collect(),
        kept: Kept::default(),
    }
}

fn any_shape() -> impl Strategy<Value = Shape> {
    let attributes = prop_oneof![
        3 => Just(Value::Null),
        1 => Just(json!({"path": "/etc/netplan/60-topo.yaml", "deep": [1, null, {"ä\n\"": true}]})),
    ];
    let routes = (
        proptest::collection::btree_set(0_usize..12, 0..10),
        0_usize..3,
        proptest::collection::vec(0_usize..12, 0..3),
        proptest::collection::btree_set(0_usize..12, 0..3),
        any::<bool>(),
    )
        .prop_map(|(nodes, metric, own, excluded, gateway)| RouteSet {
            rows: rows(nodes),
            view: Arc::new(View {
                metric: (metric > 0).then_some(u32::try_from(metric).expect("small")),
                via: if gateway { vec!["10.240.0.1".parse().expect("address")] } else { vec![] },
                device: gateway.then(|| "eth0".into()),
                ..(*view()).clone()
            }),
            own: own.into_iter().map(address).collect(),
            excluded: Arc::new(excluded.into_iter().map(pods).collect::<BTreeSet<_>>()),
        });
    (proptest::option::weighted(0.9, routes), attributes)
        .prop_map(|(routes, attributes)| Shape { routes, attributes: attributes.into() })
}

fn any_record() -> impl Strategy<Value = Record> {
    prop_oneof![
        (any_shape(), proptest::option::of("[ -~]{0,20}"))
            .prop_map(|(is, token)| Record::Settled { is, token: token.map(Token::new) }),
        (
            proptest::option::of(any_shape()),
            proptest::option::of(any_shape()),
            proptest::collection::vec(any_shape(), 0..2)
        )
            .prop_map(|(is, to, also)| Record::InDoubt { is, to, also }),
    ]
}

/// Any state, records of backends that are not known and places of unknown form among them.
pub(crate) fn any_state() -> impl Strategy<Value = State> {
    let opaque = Just(r#"{ "is":{"files": [1,2.50,"x"]},"token" : "t"}"#);
    let place = (
        proptest::option::of(("[a-z.]{1,9}", any::<Option<u16>>(), any::<bool>())),
        proptest::option::of("[0-9a-f]{32}"),
        proptest::option::weighted(0.9, any_record()),
        proptest::option::weighted(0.3, any_record()),
        proptest::option::weighted(0.3, opaque),
        any::<bool>(),
    )
        .prop_map(|(endpoint, machine_id, first, second, opaque, has_unknown)| {
            let raw = |text: &str| Record::Opaque(serde_json::from_str(text).expect("raw"));
            let has_unknown = has_unknown && first.is_some();
            let field = || ("before".into(), serde_json::from_str(r#"[ 1.50,"x"]"#).expect("raw"));
            let unknown = has_unknown.then(|| (kernel_route(), vec![field()])).into_iter().collect();
            let resources = [
                ("ssh-static/kernel_route", first),
                ("second/kernel_route", second),
                ("systemd/unit_file/60-topo.service", opaque.map(raw)),
            ];
            PlaceRecord {
                endpoint: endpoint.map(|(host, port, sudo)| Endpoint {
                    host,
                    port,
                    user: sudo.then(|| "x".into()),
                    sudo,
                }),
                machine_id: machine_id.map(Into::into),
                resources: resources
                    .into_iter()
                    .filter_map(|(id, record)| Some((id.parse().expect("resource"), record?)))
                    .collect(),
                unknown,
            }
        });
    (
        any::<[u8; 16]>(),
        any::<u64>(),
        any::<Option<[u8; 8]>>(),
        proptest::collection::btree_map(0_usize..30, place, 0..8),
    )
        .prop_map(|(lineage, serial, run, places)| State {
            lineage: Identifier::from_bytes(lineage),
            serial,
            topology: name("kthw"),
            run: run.map(Identifier::from_bytes),
            places: places
                .into_iter()
                .map(|(number, record)| {
                    let arm = || Place::new(&ARM, format!("/subscriptions/{number}/routeTables/x"));
                    (if number % 5 == 4 { arm() } else { node(number) }, record)
                })
                .collect(),
            kept: Kept::default(),
        })
}
