//! What the user selected.

use crate::resource::AddressPattern;

/// What the user selected: addresses, and exceptions from them.
#[derive(Clone, Debug, Default)]
pub struct Selection {
    /// Only these addresses. Empty: all of them.
    pub targets: Vec<AddressPattern>,
    /// Not these addresses.
    pub excludes: Vec<AddressPattern>,
}

impl Selection {
    /// Whether the user selected everything.
    pub fn is_all(&self) -> bool {
        self.targets.is_empty() && self.excludes.is_empty()
    }

    /// Whether the user selected a resource: the whole of it, or with `row` that row of it.
    pub fn chooses(&self, kind: &str, place: &str, row: Option<&str>) -> bool {
        let is_target = |pattern: &AddressPattern| pattern.matches(kind, place, row);
        (self.targets.is_empty() || self.targets.iter().any(is_target)) && !self.excludes(kind, place, row)
    }

    /// Whether the user excluded a resource: the whole of it, or with `row` that row of it.
    pub fn excludes(&self, kind: &str, place: &str, row: Option<&str>) -> bool {
        self.excludes.iter().any(|pattern| pattern.matches(kind, place, row))
    }

    /// Whether the user may have selected something of a resource: the whole of it, or a row that is not known yet.
    pub fn may_choose_in(&self, kind: &str, place: &str) -> bool {
        let is_target = |pattern: &AddressPattern| pattern.may_match_in(kind, place);
        (self.targets.is_empty() || self.targets.iter().any(is_target)) && !self.excludes(kind, place, None)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn selection(targets: &[&str], excludes: &[&str]) -> Selection {
        let patterns = |texts: &[&str]| texts.iter().map(|text| text.parse().expect("pattern")).collect();
        Selection { targets: patterns(targets), excludes: patterns(excludes) }
    }

    #[test]
    fn what_is_excluded_is_not_selected() {
        let kind = "kernel_route";
        for (targets, excludes, whole, row, some) in [
            (&[][..], &[][..], true, true, true),
            (&["node-0"], &[], true, true, true),
            (&["node-1"], &[], false, false, false),
            (&["kernel_route.node-0[\"10.*\"]"], &[], false, true, true),
            (&["node-1", "node-0"], &["kernel_route.*"], false, false, false),
            (&[], &["node-0[\"10.*\"]"], true, false, true),
            (&["node-0[\"10.*\"]"], &["node-0[\"10.*\"]"], false, false, true),
        ] {
            let selection = selection(targets, excludes);
            let name = format!("{selection:?}");
            assert_eq!(selection.chooses(kind, "node-0", None), whole, "{name}");
            assert_eq!(selection.chooses(kind, "node-0", Some("10.0.0.0/8")), row, "{name}");
            assert_eq!(selection.may_choose_in(kind, "node-0"), some, "{name}");
            assert_eq!(selection.is_all(), targets.is_empty() && excludes.is_empty());
        }
    }
}
