//! Findings about the files that keep routes, as sentences.

use super::links::LinkError;
use crate::plan::findings::{Address, Finding, Remedy, Text};
use crate::resource::{Place, ResourceId};

/// The codes of these findings.
pub(super) const CODES: &[&str] = &["file", "not_loaded", "stays_loaded"];

/// Somebody else has a file of this name; `found` says which file and whose.
pub(super) fn file_conflict(place: &Place, id: &ResourceId, found: String) -> Finding {
    let text = Text::around("On ", format!(", {found}."));
    Finding::conflict(Address::of_key(place, &id.kind, &*id.name), text, found)
        .edit("Give topo's file another name with `file` in the backend's table.")
        .remedy(Remedy::SKIP)
        .remedy(Remedy::TakeOver)
}

/// No definition can take the routes.
pub(super) fn no_link(place: &Place, id: &ResourceId, problem: &LinkError) -> Finding {
    let text = Text::around("On ", format!(", {problem}."));
    Finding::error("file", place, text).at(&id.kind, &*id.name).edit(problem.remedy())
}

pub(super) fn not_loaded(place: &Place, is_alone: bool) -> Finding {
    let text = if is_alone {
        " are not in the kernel yet: systemd-networkd loads their file at the next boot or at its next start (activate = \"defer\")."
    } else {
        " are not persistent yet: systemd-networkd loads their file at the next boot or at its next start (activate = \"defer\"). \
         Until then they do not survive a loss of carrier."
    };
    Finding::warning("not_loaded", place, Text::around("The routes of ", text))
        .edit("To have the file loaded at once, leave `activate` out.")
}

pub(super) fn stays_loaded(place: &Place) -> Finding {
    let text = " may still remember the routes of a file that is removed without being loaded. Until its next start, or until \
                `netplan apply` runs there, a loss of carrier can bring these routes back.";
    Finding::warning("stays_loaded", place, Text::around("systemd-networkd on ", text))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::backend::node::fixture::place;
    use crate::plan::Plan;
    use crate::render::sentence::{Sentence, all};

    #[test]
    fn each_finding_says_what_happened_where_and_what_to_do() {
        let one = place("node-1");
        let id = ResourceId {
            backend: "netplan".parse().expect("name"),
            kind: "netplan_file".into(),
            name: "60-topo.yaml".into(),
        };
        let findings = vec![
            file_conflict(&one, &id, "somebody else wrote the file /etc/netplan/60-topo.yaml".to_owned()),
            no_link(&one, &id, &LinkError::NoNetplan),
            not_loaded(&one, true),
            not_loaded(&one, false),
            stays_loaded(&one),
        ];
        let plan = Plan { findings, ..Plan::default() };
        let texts: Vec<String> = all(&plan).iter().map(Sentence::text).collect();
        insta::assert_snapshot!(texts.join("\n"));
    }
}
