//! What is kept where, and what is said of it: names, places, resources, their records, actions and reasons. Shared by
//! all folders above; it depends on [`crate::network`] alone.

mod action;
mod address;
mod endpoint;
mod name;
mod order;
mod place;
mod record;
mod resources;
mod token;

pub use action::{Action, Phase, Reason};
pub use address::{AddressPattern, PatternError};
pub use endpoint::Endpoint;
pub use name::{Name, NameError};
pub use order::natural_order;
pub use place::{Place, PlaceError, ResourceId};
pub use record::{Record, Shape};
pub use resources::{ResourceIter, Resources};
pub use token::Token;
