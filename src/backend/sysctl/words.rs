//! How changes of kernel settings are told.

use crate::resource::words::{Heading, Words, removed};
use crate::resource::{Action, Reason};

/// The words for kernel settings.
#[derive(Clone, Copy, Debug)]
pub(super) struct SettingsWords;

impl Words for SettingsWords {
    fn tells_difference(&self) -> bool {
        true
    }

    fn heading(&self, told: &Heading<'_>) -> String {
        let Heading { places, is_one_place: one, .. } = *told;
        let (get, have, lose, keep) =
            if one { ("gets", "has", "loses", "keeps") } else { ("get", "have", "lose", "keep") };
        let its = if one { "its" } else { "their" };
        match (told.action, told.reason) {
            (Action::Import, _) => {
                format!("{places} already {have} the kernel settings as wanted; topo records them as its own")
            }
            (_, Reason::TakenOver(_)) => {
                format!("{places} {get} kernel settings that were somebody else's (taken over as asked)")
            }
            (Action::Add, Reason::InDoubt) => {
                format!("{places} {get} kernel settings again: an earlier run did not finish there")
            }
            (Action::Add, _) => format!("{places} {get} kernel settings (new)"),
            (Action::Change, Reason::Missing) => {
                format!("{places} {get} the file of {its} kernel settings again: the recorded file is gone")
            }
            (Action::Change, Reason::Altered(_)) => {
                format!("{places} {get} {its} kernel settings put back: somebody changed them")
            }
            (Action::Change, Reason::InDoubt) => {
                format!("{places} {get} {its} kernel settings put right: an earlier run did not finish there")
            }
            (Action::Change, Reason::Stale(_)) => {
                format!(
                    "{places} {get} {its} kernel settings put right: the file is one of topo's, but not the wanted one"
                )
            }
            (Action::Change, _) => format!("{places} {get} {its} kernel settings changed (changed in the topology)"),
            (Action::Remove, reason) => format!("{places} {lose} topo's file of kernel settings {}", removed(reason)),
            (Action::Forget, _) => format!("{places} {keep} {its} kernel settings, and topo drops the record"),
        }
    }
}
