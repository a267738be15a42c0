//! A toy cloud: zones with a label and routes. It has a kind of place, two kinds of resources, a table in the topology, and a
//! connection of its own.

mod compare;
mod format;
pub(crate) mod service;
mod site;
mod words;

use std::path::PathBuf;
use std::sync::Arc;

use topo::backend::operator::{Key, Operator};
use topo::backend::{Site, SiteKind};
use topo::resource::{Kind, PlaceKind, Refusal};

use self::compare::Task;
use self::service::Service;
use self::site::FogSite;

/// Zones.
static FOG: PlaceKind = PlaceKind {
    id: "fog",
    form: "fog:ZONE",
    order: 100,
    name: |id| id,
    is_id: |id| !id.is_empty() && id.bytes().all(|byte| byte.is_ascii_lowercase()),
};

/// A zone itself, with its label.
static FOG_ZONE: Kind =
    Kind { id: "fog_zone", noun: "zone", order: 101, retires: 1, only_seen: false, words: &words::ZoneWords };
/// The routes of a zone.
static FOG_ROUTE: Kind =
    Kind { id: "fog_route", noun: "route", order: 102, retires: 1, only_seen: false, words: &words::RouteWords };

/// The toy cloud in a registry.
pub(super) static SITE: SiteKind = SiteKind {
    name: "the fog",
    place: &FOG,
    formats: &[&format::Format],
    kinds: &[&FOG_ZONE, &FOG_ROUTE],
    wanted: |desired| {
        let zones = Task::wanted(desired).into_values().map(|wish| wish.zone);
        zones.flat_map(|zone| [(FOG_ZONE.id, zone.clone()), (FOG_ROUTE.id, zone)]).collect()
    },
    table: "fog",
    keys: &[Key { name: "folder", example: "/srv/fog", is_time: false }],
    help: "The fog: its folder comes from TOPO_FOG_FOLDER.",
    connect,
    source: None,
};

fn connect(operator: Option<&Operator>) -> Result<Arc<dyn Site>, Refusal> {
    let Some(operator) = operator else { return Ok(Arc::new(FogSite::new(None))) };
    let folder: Option<PathBuf> = operator.given.iter().map(topo::backend::operator::Given::path).next_back();
    let folder = folder.ok_or_else(|| Refusal::new("Nobody says where the fog is.").hint("Set TOPO_FOG_FOLDER."))?;
    Ok(Arc::new(FogSite::new(Some(Arc::new(Service::new(folder))))))
}
