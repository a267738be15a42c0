//! The words for changes and records of a kind of resource. Each backend has the words for its kinds. The code that writes
//! a plan or a record has none.

use super::{Action, Reason, Shape};
use crate::network::Prefix;

/// What a heading says: one change, and its places.
#[derive(Clone, Copy, Debug)]
pub struct Heading<'a> {
    /// What is done.
    pub action: Action,
    /// Why.
    pub reason: &'a Reason,
    /// The names of the places, or their number: `node-0, node-1` or `998 nodes`.
    pub places: &'a str,
    /// Whether it is one place.
    pub is_one_place: bool,
    /// Number of routes or of things, over all places.
    pub count: usize,
    /// The least and the most that a place of it has.
    pub each: (usize, usize),
    /// The name of the resource in its place. Empty if a place has only one of the kind.
    pub name: &'a str,
    /// The nodes that come or go, if that is the reason, and their number. Empty for other reasons.
    pub reason_nodes: (&'a str, usize),
    /// The settings that change, if the kind has settings.
    pub settings: &'a [Setting],
}

/// One setting, before and after. None: it is not set.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Setting {
    /// Its name, as people know it.
    pub name: std::borrow::Cow<'static, str>,
    /// The live value, or the recorded one if topo did not look.
    pub before: Option<String>,
    /// The value that topo sets.
    pub after: Option<String>,
}

impl Setting {
    /// The setting in words: `BGP route propagation: on → off`.
    pub fn text(&self, action: Action) -> String {
        match (self.before.as_deref(), self.after.as_deref()) {
            (None, None) => self.name.to_string(),
            (None, Some(after)) if action == Action::Change => format!("{}: none → {after}", self.name),
            (None, Some(after)) => format!("{}: {after}", self.name),
            (Some(before), None) => format!("{}: {before} → none", self.name),
            (Some(before), Some(after)) if before == after => format!("{}: {after}", self.name),
            (Some(before), Some(after)) => format!("{}: {before} → {after}", self.name),
        }
    }
}

/// A record in words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Recorded {
    /// What the resource is, in a few words.
    pub text: String,
    /// What else there is to say, by name.
    pub fields: Vec<(&'static str, String)>,
}

/// A row of a record that has a name. topo compares names without case.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct NamedRow {
    /// The destination.
    pub destination: Prefix,
    /// The name.
    pub name: Box<str>,
    /// The next hop as text.
    pub next_hop: String,
}

/// The words for changes and records of one kind of resource.
pub trait Words: Sync {
    /// One sentence about a change, without a full stop.
    fn heading(&self, told: &Heading<'_>) -> String {
        routes_heading(told)
    }

    /// The end of a sentence about routes of this kind that no file keeps: what they do not survive. None if they last.
    fn transience(&self) -> Option<&'static str> {
        None
    }

    /// Whether the resource is a file, and a changed one is told by a unified difference.
    fn tells_difference(&self) -> bool {
        false
    }

    /// A setting in words.
    fn setting(&self, action: Action, setting: &Setting) -> String {
        setting.text(action)
    }

    /// A record in words. None if routes and attributes say it all, or if the record is unreadable.
    fn recorded(&self, _shape: &Shape) -> Option<Recorded> {
        None
    }

    /// The rows of a record, if the kind gives names to rows. Rows of other kinds go by their destinations.
    fn named_rows(&self, _shape: &Shape) -> Option<Vec<NamedRow>> {
        None
    }

    /// Drops rows with names from a record.
    fn leave_out(&self, _shape: &mut Shape, _is_left_out: &dyn Fn(&str) -> bool) {}
}

/// The words for kinds that are routes.
#[derive(Clone, Copy, Debug)]
pub struct RouteWords;

impl Words for RouteWords {}

/// Why topo removes something, in brackets.
pub fn removed(reason: &Reason) -> &'static str {
    if *reason == Reason::Destroy { "(destroy)" } else { "(no longer wanted)" }
}

/// That the topology has changed, in brackets.
const EDITED: &str = "(changed in the topology)";

fn routes_heading(told: &Heading<'_>) -> String {
    let Heading { action, reason, places, is_one_place: one, count, each, reason_nodes, .. } = *told;
    let routes = match each {
        _ if one && count == 1 => "a route".to_owned(),
        _ if one => format!("{count} routes"),
        (1, 1) => "a route each".to_owned(),
        (least, most) if least == most => format!("{least} routes each"),
        _ => format!("{count} routes in all"),
    };
    let many = count > 1;
    let (route, was, is, it) = if many { ("routes", "were", "are", "them") } else { ("route", "was", "is", "it") };
    let (get, lose, have) = if one { ("gets", "loses", "has") } else { ("get", "lose", "have") };
    // `a route to the pods` needs no `each`.
    let toward = || {
        let routes = if routes == "a route each" { "a route" } else { &routes };
        format!("{routes} to the pods of {}", reason_nodes.0)
    };
    match (action, reason) {
        (Action::Import, _) => {
            format!("{places} already {have} {routes} as wanted; topo records {it} as its own")
        }
        (_, Reason::TakenOver(_)) => {
            format!("{places} {get} {routes} that {was} somebody else's (taken over as asked)")
        }
        (Action::Add, Reason::New) => format!("{places} {get} {routes} (new)"),
        (Action::Add, Reason::NewNode) => {
            format!("{places} {get} {routes} ({})", if one { "new node" } else { "new nodes" })
        }
        (Action::Add, Reason::NodeAdded(_)) => {
            let text = toward();
            // If there are many nodes, their number is in brackets already.
            match text.strip_suffix(" nodes)") {
                Some(text) => format!("{places} {get} {text} new nodes)"),
                None if reason_nodes.1 > 1 => format!("{places} {get} {text} (new nodes)"),
                None => format!("{places} {get} {text} (new node)"),
            }
        }
        (Action::Add, Reason::Missing) => format!("{places} {get} {routes} again: the recorded {route} {is} gone"),
        (Action::Add, Reason::InDoubt) => format!("{places} {get} {routes} again: an earlier run did not finish there"),
        (Action::Add, _) => format!("{places} {get} {routes} {EDITED}"),
        (Action::Change, Reason::Altered(_)) => {
            format!("{places} {get} {routes} put back: somebody changed {it}")
        }
        (Action::Change, Reason::MarkLost(_)) => {
            format!("{places} {get} {routes} marked again: the {route} {is} as recorded, but without topo's mark")
        }
        (Action::Change, Reason::InDoubt) => {
            format!("{places} {get} {routes} put right: an earlier run did not finish there")
        }
        (Action::Change, _) => format!("{places} {get} {routes} changed {EDITED}"),
        (Action::Remove, Reason::NodeRemoved(_)) => {
            format!("{places} {lose} {} (no longer in the topology)", toward())
        }
        (Action::Remove, Reason::NotWanted) => {
            format!("{places} {lose} {routes} (no longer in the topology, or no longer served by the backend)")
        }
        (Action::Remove, Reason::Destroy) => format!("{places} {lose} {routes} (destroy)"),
        (Action::Remove, Reason::BecomesOwn) => {
            let subnets = if many { "subnets that become" } else { "a subnet that becomes" };
            format!("{places} {lose} {routes} to {subnets} {} own", if one { "its" } else { "their" })
        }
        (Action::Remove, Reason::Altered(_)) => {
            format!("{places} {lose} {routes}: no longer wanted, and somebody changed {it} since topo recorded {it}")
        }
        (Action::Remove, Reason::MarkLost(_)) => {
            format!("{places} {lose} {routes}: no longer wanted, and without topo's mark")
        }
        (Action::Remove, _) => format!("{places} {lose} {routes} {EDITED}"),
        (Action::Forget, _) => format!("topo drops the record of {routes} of {places}"),
    }
}
