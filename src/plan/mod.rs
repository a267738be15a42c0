//! Where things are put in place, how they are called, and how they are selected.

mod address;
mod place;

pub use address::{AddressPattern, PatternError};
pub use place::{Place, PlaceError, ResourceId, Token};
