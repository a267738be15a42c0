//! Backends: what each of them keeps, and how. Pure: text in, text out.

pub mod azure_udr;
mod desired;
mod difference;
mod header;
pub mod mesh;
pub mod netplan;
pub mod node;
pub mod operator;
mod registry;
mod site;
mod site_kind;
pub mod ssh_static;
pub mod sysctl;
mod table_and_metric;

use crate::exchange::node::{Reply, Request, RouteOutcome};
use crate::network::Memo;
use crate::plan::{Finding, ListedPlan, Operation, Options, ResourcePlan, TablePlan};
use crate::resource::{Kind, Name, Place, Record, ResourceId, Shape, SharedJson, Token};
use crate::topology::reader::Located;
use crate::topology::{BackendTable, Diagnostic, TableFormat, Topology};
pub use desired::{Covered, Desired, NetworkTable};
pub use header::Header;
use mesh::Mesh;
use node::Seen;
pub use registry::{REGISTRY, Registry};
pub use site::{Begun, Check, Inputs, LOST, LateError, Moment, Pose, Question, Site, StepEnd, check_late, take_late};
pub use site_kind::{Connect, IsSilentOn, NodeSource, ReadNodes, SiteKind, SourceNodes};

/// A way to put routes in place. A backend says what it wants, and turns operations into requests and replies into
/// outcomes. It does no I/O.
pub trait Backend: TableFormat {
    /// The kind of resources that it keeps.
    fn kind(&self) -> &'static Kind;

    /// Adds what it wants to the places. `name` is its table in the topology.
    fn desire(&self, topology: &Topology, mesh: &Mesh<'_>, name: &Name, table: &BackendTable, desired: &mut Desired);

    /// The questions to a place before topo can plan it. `name` is the name of the resource.
    fn questions(&self, name: &str, wanted: Option<&Shape>, record: Option<&Record>, memo: &mut Memo) -> Vec<Request>;

    /// Whether the record of a container is as wanted, except its routes.
    fn fits(&self, wanted: &Shape, recorded: &Shape) -> bool {
        wanted.attributes == recorded.attributes
    }

    /// Whether a place has said what topo asked about a resource without routes. `name` is the name of the resource.
    fn is_answered(&self, _name: &str, _seen: &Seen) -> bool {
        true
    }

    /// Plans a resource without routes. None: nothing is wanted, recorded and done there.
    fn plan_resource(&self, _input: &ResourceInput<'_>) -> Option<PlannedResource> {
        None
    }

    /// The request of one step about a resource without routes.
    fn resource_request(&self, _plan: &ResourcePlan, _header: &Header) -> Option<Request> {
        None
    }

    /// Reads what came of that request.
    fn resource_end(&self, _reply: &Reply) -> ResourceEnd {
        ResourceEnd { failure: Some("The node answered something else.".to_owned()), touched: true }
    }

    /// The request of one step about one table. `token` is the place's last token of the table, which guards the step.
    fn request(&self, table: &TablePlan, operations: &[Operation], token: Option<&Token>) -> Option<Request>;

    /// Reads the outcomes of the operations of one step.
    fn settle(&self, operations: &[Operation], written: &RouteOutcome) -> Settled;
}

/// What a resource without routes is planned by.
pub struct ResourceInput<'a> {
    /// Its place.
    pub place: &'a Place,
    /// The resource.
    pub id: &'a ResourceId,
    /// The owner of topo's files.
    pub header: &'a Header,
    /// What the topology asks for.
    pub wanted: Option<&'a Shape>,
    /// What is recorded.
    pub record: Option<&'a Record>,
    /// The answers of the place. None: nobody has looked.
    pub seen: Option<&'a Seen>,
    /// What the user chose.
    pub options: &'a Options,
}

/// What is planned for a resource without routes.
pub struct PlannedResource {
    /// What is done. None: somebody else has it, and topo neither writes nor records it.
    pub plan: Option<ListedPlan>,
    /// What a step has to find there before it writes.
    pub guard: SharedJson,
    /// What was found.
    pub findings: Vec<Finding>,
}

/// What came of the request about a resource without routes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ResourceEnd {
    /// Why it was not done, in full sentences.
    pub failure: Option<String>,
    /// Whether something may have been written.
    pub touched: bool,
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

/// Backends that keep resources on nodes.
pub type OnNodes = &'static [&'static dyn Backend];

/// The backend among these that keeps resources of a kind.
fn of_kind(backends: OnNodes, kind: &str) -> Option<&'static dyn Backend> {
    backends.iter().copied().find(|backend| backend.kind().id == kind)
}

/// An error about two mentions of one thing, each in the table of a backend. `message` gets the names of the two tables
/// in the order of the document.
fn two_mentions(one: Located<&str>, other: Located<&str>, message: impl Fn(&str, &str) -> String) -> Diagnostic {
    let (first, second) = if one.span < other.span { (one, other) } else { (other, one) };
    Diagnostic::error(second.span, message(first.value, second.value), "the second").second(first.span, "the first")
}
