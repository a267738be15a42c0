//! How changes of files are told.

use crate::resource::words::{Told, Words, removed};
use crate::resource::{Action, Reason};

/// The words for files that keep routes.
#[derive(Clone, Copy, Debug)]
pub struct FileWords;

impl Words for FileWords {
    fn heading(&self, told: &Told<'_>) -> String {
        let Told { action, reason, places, is_one_place: one, name, .. } = *told;
        let (is, gets) = if one { ("is", "gets") } else { ("are", "get") };
        match (action, reason) {
            (Action::Import, Reason::Edited) => {
                format!("{name} of {places} {is} as wanted; topo records when it is loaded")
            }
            (Action::Import, _) => format!("{name} of {places} {is} already as wanted; topo records it"),
            (Action::Add, Reason::Missing) => format!("{places} {gets} {name} again: the file is gone"),
            (Action::Add, _) => format!("{places} {gets} {name}, with these routes"),
            (Action::Remove, reason) => {
                format!("{places} lose {name} {}", removed(reason)).replace("lose", if one { "loses" } else { "lose" })
            }
            (_, Reason::Altered(_)) => format!("{places} {gets} {name} put back: somebody changed it"),
            (_, Reason::Stale(_)) => {
                format!("{places} {gets} {name} put right: it belongs to this topology, but is not as wanted")
            }
            (_, Reason::TakenOver(_)) => {
                format!("{places} {gets} {name} in place of somebody else's file (taken over as asked)")
            }
            (_, Reason::InDoubt) => format!("{places} {gets} {name} put right: an earlier run did not finish there"),
            (_, Reason::Missing) => format!("{places} {gets} {name} loaded again: not all of its routes are live"),
            (_, Reason::NotLoaded) => {
                format!("{places} {gets} {name} loaded: it is there, but systemd-networkd has not read it yet")
            }
            (_, Reason::Redefined) => {
                format!("{places} {gets} {name} put right: the definition that it adds routes to has another name now")
            }
            _ => format!("{places} {gets} {name} changed by these routes"),
        }
    }
}
