//! 5,000 nodes, dual stack, 500 subnets, two backends, 20 versions of the list: at most 3 MB.

use std::net::IpAddr;
use std::sync::{Arc, LazyLock};
use std::time::Instant;

use topo::backend::REGISTRY;
use topo::backend::netplan::NETPLAN_FILE;
use topo::backend::ssh_static::KERNEL_ROUTE;
use topo::network::{MAIN_TABLE, RouteSet, Row, Rows, View};
use topo::resource::{Endpoint, Known, Record, Shape, Token};
use topo::state::{Identifier, Kept, PlaceRecord, State};

use super::{kernel_route, name, node, prefix};

const NODES: usize = 5000;

/// What a build without clouds can read.
static ON_NODES: LazyLock<Known> =
    LazyLock::new(|| Known { places: REGISTRY.known().places.clone(), kinds: vec![&KERNEL_ROUTE, &NETPLAN_FILE] });

fn addresses(number: usize) -> [IpAddr; 2] {
    let (subnet, host) = (number / 10, number % 10 + 10);
    [format!("10.{}.{}.{host}", 240 + subnet / 256, subnet % 256), format!("fd00:240:{subnet:x}::{host:x}")]
        .map(|text| text.parse().expect("address"))
}

fn rows_of(number: usize) -> [Row; 2] {
    let [v4, v6] = addresses(number);
    [
        Row { destination: prefix(&format!("10.{}.{}.0/24", 200 + number / 256, number % 256)), owner: v4 },
        Row { destination: prefix(&format!("fd00:200:{number:x}::/64")), owner: v6 },
    ]
}

fn large() -> State {
    // Each older version lacks some nodes.
    let versions: Vec<Rows> =
        (0..20).map(|version| (0..NODES - 3 * version).flat_map(rows_of).collect::<Rows>()).collect();
    let views: Vec<Arc<View>> = (0..NODES / 10)
        .map(|subnet| {
            Arc::new(View {
                table: MAIN_TABLE,
                metric: None,
                protocol: 201,
                device: None,
                on_link: vec![
                    prefix(&format!("10.{}.{}.0/24", 240 + subnet / 256, subnet % 256)),
                    prefix(&format!("fd00:240:{subnet:x}::/64")),
                ],
                via: vec![
                    format!("10.{}.{}.1", 240 + subnet / 256, subnet % 256).parse().expect("address"),
                    format!("fd00:240:{subnet:x}::1").parse().expect("address"),
                ],
                gateway_on_link: false,
            })
        })
        .collect();
    let places = (0..NODES)
        .map(|number| {
            let routes = RouteSet {
                rows: versions[if number % 50 < 31 { 0 } else { number % 50 - 30 }].clone(),
                view: Arc::clone(&views[number / 10]),
                own: Arc::from(addresses(number)),
                excluded: Arc::default(),
            };
            let settled = |token: usize| Record::Settled {
                is: Shape::of_routes(routes.clone()),
                token: Some(Token::new(format!("{token:032x}"))),
            };
            let file = "netplan/netplan_file/60-topo.yaml".parse().expect("resource");
            let record = PlaceRecord {
                endpoint: Some(Endpoint {
                    host: addresses(number)[0].to_string(),
                    port: None,
                    user: None,
                    sudo: false,
                }),
                machine_id: Some(format!("{number:032x}").into()),
                resources: [(kernel_route(), settled(number)), (file, settled(number + NODES))].into(),
                ..PlaceRecord::default()
            };
            (node(number), record)
        })
        .collect();
    State {
        lineage: Identifier::from_bytes([7; 16]),
        serial: 30,
        topology: name("large"),
        run: None,
        places,
        kept: Kept::default(),
    }
}

#[test]
#[allow(clippy::print_stdout, reason = "timings are for people")]
fn the_state_of_5000_nodes_is_small() {
    let state = large();
    let start = Instant::now();
    let document = state.to_json();
    let wrote = start.elapsed();
    assert!(document.len() <= 3_000_000, "{} bytes", document.len());
    for known in [REGISTRY.known(), &ON_NODES] {
        let read = || State::from_json(&document, known).expect("document");
        let time = |_| {
            let start = Instant::now();
            let read = read();
            (start.elapsed(), drop(read)).0
        };
        let best = (0..5).map(time).min();
        println!("{} bytes, written in {wrote:?}, read in {best:?} knowing {known:?}", document.len());
        let read = read();
        assert_eq!(read.places.len(), NODES);
        assert!(read == state);
        let again = read.to_json();
        assert!(again.len() <= 3_000_000, "{} bytes", again.len());
    }
}
