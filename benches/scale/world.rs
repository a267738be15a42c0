//! Meshes to measure on, as text and as the state after they were applied.

use std::fmt::Write;
use std::net::Ipv6Addr;
use std::path::Path;

use topo::backend::Desired;
use topo::backend::REGISTRY;
use topo::network::Rows;
use topo::resource::{Name, Record, ResourceId, Shape, Token};
use topo::state::{PlaceRecord, State};
use topo::topology::{LARGEST_FILE, Source, Topology, parse};

const HEADER_OF_NODES: &str = "[nodes]\n";

/// A full mesh, dual stack, a pod subnet of each family a node.
#[derive(Clone, Copy)]
pub struct World {
    pub nodes: usize,
    /// Nodes a link; each link has a subnet and a gateway. None: all nodes share one.
    pub per_subnet: Option<usize>,
    /// Whether a file on each node keeps its routes, too.
    pub persistent: bool,
}

pub fn name(text: &str) -> Name {
    Name::new(text).expect("a name")
}

impl World {
    pub fn one_link(nodes: usize) -> Self {
        Self { nodes, per_subnet: None, persistent: false }
    }

    pub fn many_subnets(nodes: usize) -> Self {
        Self { nodes, per_subnet: Some(10), persistent: false }
    }

    pub fn with_files(self) -> Self {
        Self { persistent: true, ..self }
    }

    pub fn without_files(self) -> Self {
        Self { persistent: false, ..self }
    }

    pub fn with_one_more(self) -> Self {
        Self { nodes: self.nodes + 1, ..self }
    }

    pub fn label(self) -> String {
        let subnets = self.per_subnet.map_or(1, |per_subnet| self.nodes.div_ceil(per_subnet));
        let files = if self.persistent { ", netplan" } else { "" };
        format!("{} nodes, {subnets} subnet{}{files}", self.nodes, if subnets == 1 { "" } else { "s" })
    }

    /// The topology's files: one, or several where it is too large for one.
    fn files(self) -> Vec<String> {
        let text = self.toml();
        let mut files = Vec::new();
        let mut rest = text.as_str();
        while rest.len() > LARGEST_FILE {
            let end = rest[..LARGEST_FILE - HEADER_OF_NODES.len()].rfind('\n').map_or(rest.len(), |at| at + 1);
            files.push(rest[..end].to_owned());
            rest = &rest[end..];
        }
        files.push(rest.to_owned());
        for file in files.iter_mut().skip(1) {
            file.insert_str(0, HEADER_OF_NODES);
        }
        files
    }

    fn toml(self) -> String {
        let mut text = String::from("[topology]\nname = \"mesh\"\n\n[backends.ssh-static]\n\n");
        if self.persistent {
            text.push_str("[backends.netplan]\n\n");
        }
        let subnets = self.per_subnet.map_or(0, |per_subnet| self.nodes.div_ceil(per_subnet));
        for subnet in 0..subnets {
            let (high, low) = (16 + subnet / 256, subnet % 256);
            let (v4, v6) = (format!("172.{high}.{low}"), format!("fd00:{subnet:x}:"));
            writeln!(
                text,
                "[subnets.s{subnet}]\ncidr = [\"{v4}.0/24\", \"{v6}:/64\"]\ngateway = [\"{v4}.1\", \"{v6}:1\"]\nrouted = true"
            )
            .expect("text");
        }
        if self.per_subnet.is_none() {
            text.push_str("[subnets.all]\ncidr = [\"172.16.0.0/12\", \"fd00::/48\"]\n");
        }
        text.push('\n');
        text.push_str(HEADER_OF_NODES);
        for node in 0..self.nodes {
            let (v4, v6) = match self.per_subnet {
                Some(per_subnet) => {
                    let (subnet, host) = (node / per_subnet, node % per_subnet + 10);
                    (format!("172.{}.{}.{host}", 16 + subnet / 256, subnet % 256), format!("fd00:{subnet:x}::{host:x}"))
                }
                None => (
                    format!("172.{}.{}.{}", 16 + node / 60000, 1 + node % 60000 / 250, 1 + node % 250),
                    ipv6(&[0xfd00, 0, 0, 0, 0, 0, (node + 16) / 65536, (node + 16) % 65536]),
                ),
            };
            let v4_pods = format!("{}.{}.{}.0/24", 10 + node / 65536, node / 256 % 256, node % 256);
            let v6_pods = ipv6(&[0xfd01, node % 65536, node / 65536, 0, 0, 0, 0, 0]);
            let pods = format!("\"{v4_pods}\", \"{v6_pods}/64\"");
            writeln!(text, "node-{node} = {{ address = [\"{v4}\", \"{v6}\"], pods = [{pods}] }}").expect("text");
        }
        text
    }

    pub fn topology(self) -> Topology {
        let sources: Vec<Source> =
            self.files().into_iter().map(|text| Source { name: "topo.toml".to_owned(), text }).collect();
        let (topology, findings) = parse(&sources, REGISTRY.formats());
        topology.unwrap_or_else(|| panic!("the mesh is valid: {:?}", findings.iter().next()))
    }

    /// The state after it was applied.
    pub fn state(self) -> State {
        settled(REGISTRY.desire(&self.topology()))
    }

    /// Writes a folder `topology` into a folder, as the command line finds it: the topology, and the state if there is one.
    pub fn write(self, folder: &Path, document: Option<&[u8]>) {
        let state = folder.join("topology/state");
        std::fs::create_dir_all(&state).expect("a folder");
        for (number, text) in self.files().into_iter().enumerate() {
            std::fs::write(folder.join(format!("topology/{number:03}.toml")), text).expect("a file");
        }
        if let Some(document) = document {
            std::fs::write(state.join("mesh.json"), document).expect("a file");
        }
    }
}

/// An address from its eight groups.
fn ipv6(groups: &[usize; 8]) -> String {
    Ipv6Addr::from(groups.map(|group| u16::try_from(group).expect("16 bits"))).to_string()
}

fn settled(desired: Desired) -> State {
    let mut state = State::new(name("mesh")).expect("random numbers");
    state.serial = 1;
    for (number, (place, wanted)) in desired.places.into_iter().enumerate() {
        let settle = |(id, is): (ResourceId, Shape)| {
            let is = if is.attributes.is_null() { is } else { Shape { attributes: found().into(), ..is } };
            (id, Record::Settled { is, token: Some(token(number)) })
        };
        let record = PlaceRecord {
            endpoint: wanted.endpoint,
            machine_id: Some(format!("{number:032x}").into()),
            resources: wanted.resources.into_iter().map(settle).collect(),
            ..PlaceRecord::default()
        };
        state.places.insert(place, record);
    }
    state
}

/// What a file is recorded with once somebody has looked where its routes go.
fn found() -> serde_json::Value {
    serde_json::json!({ "links": [{ "device": "eth0", "id": "eth0" }] })
}

fn token(number: usize) -> Token {
    // As random as digests are: neither compresses nor parses better.
    let digest = |seed: usize| format!("{:016x}", (seed as u64 + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15));
    Token::of(&digest(2 * number), &digest(2 * number + 1))
}

/// The largest state that the bar is about: two backends, and 20 versions of the list that some nodes were left with.
pub fn largest_state(world: World) -> State {
    let mut state = world.state();
    let rows = state.records().find_map(|(.., record)| {
        record.shapes().find_map(|shape| shape.routes.as_ref().map(|routes| routes.rows.clone()))
    });
    let rows = rows.expect("rows");
    let versions: Vec<Rows> = (0..20)
        .map(|version| {
            rows.as_slice().iter().enumerate().filter(|(at, _)| at % 1000 >= 3 * version).map(|(_, row)| *row).collect()
        })
        .collect();
    let file: ResourceId = "netplan/netplan_file/60-topo.yaml".parse().expect("a resource");
    for (number, record) in state.places.values_mut().enumerate() {
        let mut second = None;
        for record in record.resources.values_mut() {
            let Record::Settled { is: Shape { routes: Some(routes), .. }, .. } = record else { continue };
            // Six nodes in ten are up to date, and the rest is behind by one to nineteen versions.
            routes.rows = versions[(number % 50).saturating_sub(30)].clone();
            second = Some(routes.clone());
        }
        let shape = Shape { routes: second, attributes: found().into() };
        record.resources.insert(file.clone(), Record::Settled { is: shape, token: Some(token(number)) });
    }
    state
}
