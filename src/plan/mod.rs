//! Where things are put in place, how they are called, and how they are selected.

mod address;
mod build;
mod classify;
mod desired;
mod observed;
mod operation;
mod place;
mod steps;
mod summary;
mod table;

pub use address::{AddressPattern, PatternError};
pub use build::{Conflict, Note, Options, Owners, PlacePlan, PlaceReasons, Plan, Refusal};
pub use classify::{BOOT, KERNEL, Key, STATIC, Verdict, classify};
pub use desired::{Desired, DesiredPlace};
pub use observed::{Observation, Seen};
pub use operation::{Action, Live, Operation, Phase, Reason};
pub use place::{Place, PlaceError, ResourceId, Token};
pub use steps::{Steps, Vertex, steps};
pub use summary::{Change, Line, Part, Summary, natural_order};
pub use table::{Reasons, TableFindings, TableInput, TablePlan};
