//! Where things are put in place, how they are called, and how they are selected.

pub mod azure;
mod build;
mod checks;
mod claims;
mod classify;
mod desired;
mod file;
pub mod findings;
pub mod judge;
mod node_findings;
mod observed;
mod operation;
mod owners;
mod select;
mod steps;
pub(crate) mod summary;
mod table;
mod together;

pub use build::{Inputs, Options, PlacePlan, Plan};
pub use classify::{Key, KeyVerdict, Surplus, Verdict, classify};
pub use desired::{Covered, Desired, DesiredPlace};
pub use file::{FileChange, FilePlan};
pub use findings::{Address, Finding, Remedy, Severity};
pub use node_findings::ForeignKey;
pub use observed::{Observation, Seen};
pub use operation::{Live, Operation};
pub use owners::{Owners, PlaceReasons};
pub use steps::{Steps, Vertex, steps};
pub use summary::{Before, Change, Line, Part, SettingLine, Summary, What};
pub use table::{FiledRoutes, Reasons, TableFindings, TableInput, TablePlan};
