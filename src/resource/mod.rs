//! Names, places, resources, their records, actions and reasons. Most of topo uses this folder, and the folder uses
//! [`crate::network`] alone.

mod action;
mod address;
mod endpoint;
mod evidence;
mod id;
mod kind;
mod known;
mod merge_join;
mod name;
mod order;
mod place;
mod record;
mod refusal;
mod resources;
mod shared_json;
mod token;
pub mod words;

pub use action::{Action, Phase, Reason};
pub use address::{AddressPattern, glob};
pub use endpoint::Endpoint;
pub use evidence::{Evidence, Why};
pub use id::{ResourceId, ResourceIdError};
pub use kind::Kind;
pub use known::{Known, PlaceError};
pub use merge_join::merge_join;
pub use name::{Name, NameError};
pub use order::{NaturalName, natural_order};
pub use place::{NODE, Place, PlaceKind};
pub use record::{Raw, Record, Shape};
pub use refusal::Refusal;
pub use resources::{ResourceIter, Resources};
pub use shared_json::SharedJson;
pub use token::Token;
