//! What the topology asks for, place by place.

use std::collections::{BTreeMap, BTreeSet};

use super::{Place, Resources};
use crate::backend::azure_udr;
use crate::network::Prefix;
use crate::state::Shape;
use crate::transport::Endpoint;

/// What the topology asks for.
#[derive(Clone, Debug, Default)]
pub struct Desired {
    /// Every place that the topology knows, also those where nothing is wanted.
    pub places: BTreeMap<Place, DesiredPlace>,
    /// The route tables of Azure.
    pub azure: Vec<azure_udr::Wanted>,
    /// Destinations that a route table of Azure is to have a route to, of those tables that are associated with subnets.
    pub covered: BTreeSet<Prefix>,
}

/// What is wanted in one place.
#[derive(Clone, Debug, Default)]
pub struct DesiredPlace {
    /// How it is reached; none where it is not a machine.
    pub endpoint: Option<Endpoint>,
    /// The resources that are wanted there.
    pub resources: Resources<Shape>,
}
