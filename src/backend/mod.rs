//! Backends: what each of them keeps, and how. Pure: text in, text out.

pub mod azure_udr;
mod desired;
pub mod mesh;
pub mod netplan;
pub mod node;
pub mod operator;
mod registry;
mod site;
pub mod ssh_static;
mod table_and_metric;

use crate::exchange::node::{Work, Written};
use crate::network::Memo;
use crate::plan::{Operation, TablePlan};
use crate::resource::{Kind, Name, Record, Shape, Token};
use crate::topology::reader::Located;
use crate::topology::{BackendTable, Diagnostic, TableFormat, Topology};
pub use desired::{Covered, Desired, NetworkTable};
use mesh::Mesh;
pub use registry::{NodeSource, REGISTRY, Registry, SiteKind, SourceNodes};
pub use site::{Begun, Check, Inputs, LOST, Moment, Pose, Question, Site, StepEnd};
use site::{check_late, take_late};

/// A way to put routes in place. A backend says what it wants, and turns operations into work and replies into
/// outcomes. It does no I/O.
pub trait Backend: TableFormat {
    /// The kind of resources that it keeps.
    fn kind(&self) -> &'static Kind;

    /// Adds what it wants to the places. `name` is its table in the topology.
    fn desire(&self, topology: &Topology, mesh: &Mesh<'_>, name: &Name, table: &BackendTable, desired: &mut Desired);

    /// The questions to a place before topo can plan it. `name` is the name of the resource.
    fn inquire(&self, name: &str, wanted: Option<&Shape>, record: Option<&Record>, memo: &mut Memo) -> Vec<Work>;

    /// Whether the record of a container is as wanted, except its routes.
    fn fits(&self, wanted: &Shape, recorded: &Shape) -> bool {
        wanted.attributes == recorded.attributes
    }

    /// The work of one step on one table. `token` is the place's last token of the table, which guards the step.
    fn work(&self, table: &TablePlan, operations: &[Operation], token: Option<&Token>) -> Option<Work>;

    /// Reads the outcomes of the operations of one step.
    fn settle(&self, operations: &[Operation], written: &Written) -> Settled;
}

/// The outcomes of the operations of a step.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Settled {
    /// Number of operations that are in force.
    pub done: usize,
    /// Operations that are not in force, each with its reason; indices into the operations.
    pub failed: Vec<(usize, String)>,
    /// Whether the step may have written anything.
    pub touched: bool,
    /// The token of the table afterwards.
    pub token: Option<Token>,
    /// What else the user should know.
    pub warnings: Vec<String>,
}

/// The backend that keeps resources of this kind on nodes.
pub fn of_kind(kind: &str) -> Option<&'static dyn Backend> {
    REGISTRY.of_kind(kind)
}

/// An error about two mentions of one thing, each in the table of a backend. `message` gets the names of the two tables
/// in the order of the document.
fn two_mentions(one: Located<&str>, other: Located<&str>, message: impl Fn(&str, &str) -> String) -> Diagnostic {
    let (first, second) = if one.span < other.span { (one, other) } else { (other, one) };
    Diagnostic::error(second.span, message(first.value, second.value), "the second").second(first.span, "the first")
}
