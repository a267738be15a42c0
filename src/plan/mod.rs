//! Where things are put in place, how they are called, and how they are selected.

mod address;
pub mod azure;
mod build;
mod checks;
mod claims;
mod classify;
mod desired;
mod file;
pub mod findings;
mod node_findings;
mod observed;
mod operation;
mod owners;
mod place;
mod resources;
mod select;
mod steps;
pub(crate) mod summary;
mod table;
mod together;

pub use address::{AddressPattern, PatternError};
pub use build::{Inputs, Options, PlacePlan, Plan};
pub use classify::{BOOT, KERNEL, Key, STATIC, Verdict, classify};
pub use desired::{Covered, Desired, DesiredPlace};
pub use file::{FileChange, FilePlan};
pub use findings::{Address, Finding, Remedy, Severity};
pub use node_findings::ForeignKey;
pub use observed::{Observation, Seen};
pub use operation::{Action, Live, Operation, Phase, Reason};
pub use owners::{Owners, PlaceReasons};
pub use place::{Place, PlaceError, ResourceId, Token};
pub use resources::{ResourceIter, Resources};
pub use steps::{Steps, Vertex, steps};
pub use summary::{AzureGroup, AzureLine, Change, FileGroup, Line, Part, Summary, natural_order};
pub use table::{FiledRoutes, Reasons, TableFindings, TableInput, TablePlan};
