//! The lines of a change: routes and settings.

use std::sync::Arc;

use crate::network::{NextHop, Prefix, Route};
use crate::plan::Live;
use crate::resource::Reason;
use crate::resource::words::Setting;

/// One thing on which something is set.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SettingLine {
    /// The place, as a number for [`super::Summary::place`].
    pub place: u32,
    /// Which thing in its place; empty if the place has one of the kind.
    pub name: Arc<str>,
    /// Whether the thing stands for the whole place, so that people read the place's name.
    pub is_whole: bool,
    /// What is set.
    pub settings: Vec<Setting>,
    /// What is live there, where the reason says that.
    pub found: Option<Arc<str>>,
    /// A unified difference, where somebody changed a file by hand.
    pub difference: Option<Arc<str>>,
}

/// One route of a change, the same on all places of its part but a few.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    /// Where the route leads to.
    pub destination: Prefix,
    /// The next hop that it gets, or for a removal has.
    pub next_hop: NextHop,
    /// Its name, where routes have names.
    pub name: Option<Arc<str>>,
    /// The live route that is changed or removed.
    pub before: Option<Before>,
    /// What is live there, where the reason says that.
    pub found: Option<Arc<str>>,
    /// Places of the part that do not have it: the owner of the destination, and those with a story of their own.
    pub without: Vec<u32>,
}

/// A live route that is changed or removed.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Before {
    /// Its next hop.
    pub next_hop: NextHop,
    /// Its route protocol number, where routes have one.
    pub protocol: Option<u8>,
}

/// A line for a route of a node.
pub(super) fn line_of(route: Route, before: Option<Live>, found: Option<Arc<str>>, without: Vec<u32>) -> Line {
    Line {
        destination: route.destination,
        next_hop: route.next_hop.into(),
        name: None,
        before: before.map(|live| Before { next_hop: live.next_hop.into(), protocol: Some(live.protocol) }),
        found,
        without,
    }
}

/// Takes the description of what is live out of a reason, so that changes differ by what happened and not by where.
pub(super) fn split_reason(reason: Reason) -> (Reason, Option<Arc<str>>) {
    let found = |text: String| Some(Arc::from(text));
    match reason {
        Reason::Altered(text) => (Reason::Altered(String::new()), found(text)),
        Reason::MarkLost(text) => (Reason::MarkLost(String::new()), found(text)),
        Reason::Adopted(text) => (Reason::Adopted(String::new()), found(text)),
        Reason::TakenOver(text) => (Reason::TakenOver(String::new()), found(text)),
        Reason::Stale(text) => (Reason::Stale(String::new()), found(text)),
        other => (other, None),
    }
}
