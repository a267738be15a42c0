//! What a topology knows about the backends that its tables are for. The backends themselves are handed in.

use std::any::Any;
use std::collections::BTreeSet;

use serde_json::Value as Json;

use super::backends::BackendDraft;
use super::diagnostics::Reporter;
use super::document::Draft;
use super::reader::{Located, TableReader};
use crate::network::Prefix;
use crate::resource::Name;

/// How the tables of a backend are written in a topology, below `[backends]`.
pub trait TableFormat: Send + Sync {
    /// What `type` calls the backend; also the name of a table without `type`.
    fn id(&self) -> &'static str;

    /// Where the backend is not in this build: what to do about it, a full sentence.
    fn left_out(&self) -> Option<&'static str> {
        None
    }

    /// Reads the keys of a table, besides `type` and `nodes`. What is wrong is reported, and something harmless stands in
    /// for it. With `broken` some of the document was not TOML, so that nothing follows from what is not there.
    fn read(&self, reader: &mut TableReader<'_>, broken: bool) -> TableRead;

    /// What to say of a key that the table does not have, where there is more to say than what the others are.
    fn hint_about(&self, _key: &str) -> Option<String> {
        None
    }

    /// Reports what only several tables together, or a table and the nodes together, tell.
    fn check(&self, tables: &Tables<'_>, report: &Reporter);

    /// What the JSON schema says of the table.
    fn schema(&self) -> TableSchema;

    /// The lines of a new topology that turn the backend on, or that show how to; each with its line end.
    fn example(&self) -> Option<&'static str> {
        None
    }
}

/// All backends of a binary, in the order in which a user reads of them. A new topology is best begun with the first.
pub type Formats = &'static [&'static dyn TableFormat];

/// What was read of a table.
pub struct TableRead {
    /// The settings as the backend checked and normalised them.
    pub settings: Json,
    /// Where its routes are put.
    pub routes: RoutesOf,
    /// Where its settings stand in the document, in a form that is the backend's own.
    pub given: Box<dyn Any>,
}

/// Where the routes of a backend's table are put.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RoutesOf {
    /// On the nodes that it serves: these need next hops.
    Nodes,
    /// In the network between the nodes: no node needs a next hop for them.
    Network {
        /// Whether the network forwards by them, between the nodes that it serves.
        in_use: bool,
    },
}

/// What the JSON schema says of a table.
#[derive(Clone, Debug)]
pub struct TableSchema {
    /// What the backend does, a full sentence.
    pub description: &'static str,
    /// What `nodes` means, a full sentence.
    pub nodes: &'static str,
    /// The properties of the table, besides `type` and `nodes`: an object.
    pub properties: Json,
    /// What has to hold of its keys together: an object, which may be empty.
    pub condition: Json,
}

/// All tables of backends in a document, with the nodes that they serve.
pub struct Tables<'d> {
    draft: &'d Draft<'d>,
    served: &'d [BTreeSet<Name>],
}

/// A table of a backend.
#[derive(Clone, Copy)]
pub struct Table<'d> {
    /// Its place among all tables.
    pub number: usize,
    /// Its name.
    pub name: Located<&'d str>,
    /// Its settings.
    pub settings: &'d Json,
    /// The nodes that it serves.
    pub nodes: &'d BTreeSet<Name>,
    given: &'d dyn Any,
}

impl<'d> Tables<'d> {
    pub(super) fn new(draft: &'d Draft<'d>, served: &'d [BTreeSet<Name>]) -> Self {
        Self { draft, served }
    }

    /// The tables of a backend, in the order of their names.
    pub fn of(&self, backend: &str) -> impl Iterator<Item = Table<'d>> {
        let tables = self.draft.backends.iter().zip(self.served).enumerate();
        tables.filter(move |(_, (draft, _))| draft.format.id() == backend).map(|(number, (draft, nodes))| {
            let BackendDraft { name, read, .. } = draft;
            Table { number, name: *name, settings: &read.settings, nodes, given: &*read.given }
        })
    }

    /// All pod subnets, each with the name of its node.
    pub fn pods(&self) -> impl Iterator<Item = (Located<Prefix>, &'d str)> {
        let draft = self.draft;
        draft.pods.iter().map(|pod| {
            let prefix = Located { value: pod.value, span: pod.span };
            (prefix, draft.nodes[pod.node as usize].name.value)
        })
    }
}

impl<'d> Table<'d> {
    /// Where its settings stand, as [`TableFormat::read`] gave it; none where that is of another type.
    pub fn given<T: 'static>(&self) -> Option<&'d T> {
        self.given.downcast_ref()
    }
}
