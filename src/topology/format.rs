//! What a topology needs to know about the backends of its tables. The caller hands the backends in.

use std::any::Any;
use std::collections::BTreeSet;

use serde_json::Value as Json;

use super::diagnostics::Reporter;
use super::node_draft::{NodeDraft, OfNode};
use super::reader::{Located, TableReader};
use crate::network::Prefix;
use crate::resource::Name;

/// The format of a backend's tables in a topology, below `[backends]`.
pub trait TableFormat: Send + Sync {
    /// The backend's name in `type`; also the name of a table without `type`.
    fn id(&self) -> &'static str;

    /// If this build does not have the backend: what to do about it, a full sentence.
    fn left_out(&self) -> Option<&'static str> {
        None
    }

    /// Reads the keys of a table, except `type` and `nodes`. Reports errors and continues with harmless values.
    fn read(&self, reader: &mut TableReader<'_>) -> TableRead;

    /// Explains a key that the table does not have, if there is more to say than a list of the keys.
    fn hint_about(&self, _key: &str) -> Option<String> {
        None
    }

    /// Reports errors that need several tables together, or a table and the nodes.
    fn check(&self, tables: &Tables<'_>, report: &Reporter);

    /// The JSON schema of the table, as text: an object, which can refer to the definitions in `src/topology/schema.json`.
    fn schema(&self) -> &'static str;

    /// The codes of its own findings.
    fn codes(&self) -> &'static [&'static str] {
        &[]
    }

    /// The lines of a new topology that activate the backend, or show how to activate it; each with its line end.
    fn example(&self) -> Option<&'static str> {
        None
    }
}

/// All backends of a binary, in the order for users. The first one is best for a new topology.
pub type Formats = &'static [&'static dyn TableFormat];

/// The content of a table.
pub struct TableRead {
    /// The settings, checked and normalised by the backend.
    pub settings: Json,
    /// Where its routes are.
    pub routes: RoutesOf,
    /// The positions of its settings in the document, in a form of the backend's own.
    pub given: Box<dyn Any>,
}

/// Where the routes of a backend's table are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RoutesOf {
    /// On the nodes that it serves: these need next hops.
    Nodes,
    /// Nowhere: the backend keeps something else.
    None,
    /// In the network between the nodes: no node needs a next hop for them.
    Network {
        /// Whether the network uses them to forward between the nodes that it serves.
        in_use: bool,
    },
}

/// All tables of backends in a document, with the nodes that they serve.
pub struct Tables<'d> {
    /// In the order of their names.
    pub(super) all: Vec<Table<'d>>,
    pub(super) nodes: &'d [NodeDraft<'d>],
    pub(super) pods: &'d [OfNode<Prefix>],
}

/// A table of a backend.
#[derive(Clone, Copy)]
pub struct Table<'d> {
    /// Its position among all tables.
    pub number: usize,
    /// Its name.
    pub name: Located<&'d str>,
    /// The name of its backend.
    pub(super) backend: &'static str,
    /// Its settings.
    pub settings: &'d Json,
    /// The nodes that it serves.
    pub nodes: &'d BTreeSet<Name>,
    pub(super) given: &'d dyn Any,
}

impl<'d> Tables<'d> {
    /// The tables of a backend, in the order of their names.
    pub fn of(&self, backend: &str) -> impl Iterator<Item = Table<'d>> {
        self.all.iter().copied().filter(move |table| table.backend == backend)
    }

    /// All pod subnets, each with the name of its node.
    pub fn pods(&self) -> impl Iterator<Item = (Located<Prefix>, &'d str)> {
        let nodes = self.nodes;
        self.pods.iter().map(move |pod| {
            let prefix = Located { value: pod.value, span: pod.span };
            (prefix, nodes[pod.node as usize].name.value)
        })
    }
}

impl<'d> Table<'d> {
    /// The positions of its settings, from [`TableFormat::read`]; none if they have another type.
    pub fn given<T: 'static>(&self) -> Option<&'d T> {
        self.given.downcast_ref()
    }
}
