//! How changes of files are told.

use crate::resource::words::{Heading, Words, removed};
use crate::resource::{Action, Reason};

/// The words for files that keep routes.
#[derive(Clone, Copy, Debug)]
pub struct FileWords;

impl Words for FileWords {
    fn heading(&self, told: &Heading<'_>) -> String {
        let Heading { action, reason, places, is_one_place: one, name, .. } = *told;
        let (is, gets) = if one { ("is", "gets") } else { ("are", "get") };
        let rest = match (action, reason) {
            (Action::Import, Reason::Edited) => {
                return format!("{name} of {places} {is} as wanted; topo records when it is loaded");
            }
            (Action::Import, _) => return format!("{name} of {places} {is} already as wanted; topo records it"),
            (Action::Remove, reason) => {
                return format!("{places} {} {name} {}", if one { "loses" } else { "lose" }, removed(reason));
            }
            (Action::Add, Reason::Missing) => " again: the file is gone",
            (Action::Add, _) => ", with these routes",
            (_, Reason::Altered(_)) => " put back: somebody changed it",
            (_, Reason::Stale(_)) => " put right: it belongs to this topology, but is not as wanted",
            (_, Reason::TakenOver(_)) => " in place of somebody else's file (taken over as asked)",
            (_, Reason::InDoubt) => " put right: an earlier run did not finish there",
            (_, Reason::Missing) => " loaded again: not all of its routes are live",
            (_, Reason::NotLoaded) => " loaded: it is there, but systemd-networkd has not read it yet",
            (_, Reason::Redefined) => " put right: the definition that it adds routes to has another name now",
            _ => " changed by these routes",
        };
        format!("{places} {gets} {name}{rest}")
    }
}
