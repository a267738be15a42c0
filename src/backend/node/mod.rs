//! What belongs to a machine and not to one of its backends: whose machine it is, what its routing tables hold, what would
//! lock it out, and the plan of all that backends keep there. Pure.

mod addresses;
mod ask;
mod checks;
pub(super) mod findings;
#[cfg(test)]
pub(crate) mod fixture;
mod identities;
mod look;
mod machines;
mod nodes;
mod observed;
mod off_link;
mod place_inputs;
mod plan;
mod progress;
mod replan;
mod rules;
mod site;
mod step;
mod tunnels;
mod ways;
mod words;

pub use findings::CODES;
pub use nodes::NodeSite;
pub use observed::{Observation, Seen};
pub use plan::plan;
pub use replan::replan;
