//! What the topology asks for in one place.

use crate::resource::{Endpoint, Resources, Shape};

/// What is wanted in one place.
#[derive(Clone, Debug, Default)]
pub struct DesiredPlace {
    /// How it is reached; none where it is not a machine.
    pub endpoint: Option<Endpoint>,
    /// The resources that are wanted there.
    pub resources: Resources<Shape>,
}
