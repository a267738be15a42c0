//! Rows of records: the part of an address in brackets.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use crate::network::{Prefix, Route, RouteSet};
use crate::resource::words::{NamedRow, Words};
use crate::resource::{AddressPattern, Known, Place, Record, ResourceId, Shape};

/// A row of a record.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Row {
    /// A route, by its destination.
    Destination(Prefix),
    /// A row of a kind that gives names to rows.
    Name(Box<str>),
}

impl fmt::Display for Row {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Destination(destination) => destination.fmt(f),
            Self::Name(name) => f.write_str(name),
        }
    }
}

/// A recorded resource.
#[derive(Clone, Copy)]
pub(super) struct Entry<'a> {
    pub(super) place: &'a Place,
    pub(super) resource: &'a ResourceId,
    pub(super) record: &'a Record,
    pub(super) words: &'static dyn Words,
}

impl<'a> Entry<'a> {
    pub(super) fn new(known: &Known, place: &'a Place, resource: &'a ResourceId, record: &'a Record) -> Self {
        Self { place, resource, record, words: known.words(&resource.kind) }
    }

    /// The row part of the address, for a resource that has a name of its own.
    pub(super) fn own_row(&self) -> Option<&'a str> {
        (!self.resource.name.is_empty()).then_some(&*self.resource.name)
    }

    /// The address of the resource, or of a row of it.
    pub(super) fn address(&self, row: Option<&str>) -> String {
        let (kind, place) = (&self.resource.kind, self.place.name());
        row.map_or_else(|| format!("{kind}.{place}"), |row| format!("{kind}.{place}[\"{row}\"]"))
    }

    /// Whether a pattern selects the whole resource.
    pub(super) fn is_selected(&self, patterns: &[AddressPattern]) -> bool {
        let row = self.own_row();
        patterns.iter().any(|pattern| pattern.matches(&self.resource.kind, self.place.name(), row))
    }

    /// Whether the resource is listed row by row.
    pub(super) fn has_rows(&self) -> bool {
        let has_rows = |shape: &Shape| shape.routes.is_some() || self.words.named_rows(shape).is_some();
        self.resource.name.is_empty() && self.record.shapes().any(has_rows)
    }

    /// Calls the function once for each selected row that may exist.
    pub(super) fn selected_rows(&self, patterns: &[AddressPattern], whole: bool, mut each: impl FnMut(Row)) {
        let (kind, place) = (&self.resource.kind, self.place.name());
        let some = |pattern: &&AddressPattern| pattern.may_match_rows(kind, place);
        let patterns: Vec<&AddressPattern> = patterns.iter().filter(some).collect();
        if !whole && (patterns.is_empty() || !self.resource.name.is_empty()) {
            return;
        }
        let is_selected = |row: &Row| {
            let matches = |text: &str| patterns.iter().any(|pattern| pattern.matches(kind, place, Some(text)));
            whole || matches(&row.to_string())
        };
        if let Some(names) = self.names() {
            names.into_iter().map(Row::Name).filter(is_selected).for_each(each);
            return;
        }
        let mut seen: Option<BTreeMap<Prefix, Route>> = self.record.is_in_doubt().then(BTreeMap::new);
        for route in self.routes() {
            let row = Row::Destination(route.destination);
            if is_selected(&row) {
                match &mut seen {
                    Some(seen) => {
                        seen.insert(route.destination, route);
                    }
                    None => each(row),
                }
            }
        }
        seen.into_iter().flat_map(BTreeMap::into_keys).map(Row::Destination).for_each(each);
    }

    /// The number of rows.
    pub(super) fn number_of_rows(&self) -> usize {
        let destinations = || self.routes().map(|route| route.destination).collect::<BTreeSet<Prefix>>().len();
        self.names().map_or_else(destinations, |names| names.len())
    }

    fn routes(&self) -> impl Iterator<Item = Route> {
        self.record.shapes().filter_map(|shape| shape.routes.as_ref()).flat_map(RouteSet::routes)
    }

    /// The names of rows, by destination, each once. None if the rows have no names.
    fn names(&self) -> Option<Vec<Box<str>>> {
        let named = self.record.shapes().filter_map(|shape| self.words.named_rows(shape));
        let mut rows: Vec<NamedRow> = named.reduce(|one, other| [one, other].concat())?;
        rows.sort();
        let mut known = BTreeSet::new();
        rows.retain(|row| known.insert(row.name.to_ascii_lowercase()));
        Some(rows.into_iter().map(|row| row.name).collect())
    }
}

/// Drops rows from a record. Its token no longer proves anything then, so it is dropped too.
pub(super) fn leave_out(words: &dyn Words, record: &mut Record, rows: &BTreeSet<Row>) {
    if rows.is_empty() {
        return;
    }
    let leave_out_of = |shape: &mut Shape| {
        shape.leave_out(rows.iter().filter_map(|row| match row {
            Row::Destination(destination) => Some(*destination),
            Row::Name(_) => None,
        }));
        let is_own = |row: &Row, name: &str| matches!(row, Row::Name(own) if own.eq_ignore_ascii_case(name));
        words.leave_out(shape, &|name| rows.iter().any(|row| is_own(row, name)));
    };
    match record {
        Record::Settled { is, token } => {
            leave_out_of(is);
            *token = None;
        }
        Record::InDoubt { is, to, also } => is.iter_mut().chain(to).chain(also).for_each(leave_out_of),
        Record::Opaque(_) => {}
    }
}

#[cfg(test)]
mod tests {
    use std::sync::LazyLock;

    use serde_json::{Map, Value, json};

    use super::super::describe::{describe, describe_row};
    use super::*;
    use crate::resource::words::Recorded;
    use crate::resource::{Kind, NODE, PlaceKind};
    use crate::state::PlaceRecord;

    static CLOUD: PlaceKind =
        PlaceKind { id: "cloud", form: "cloud:ID", order: 9, name: |id| id, is_id: |id| !id.is_empty() };
    static RULE: Kind = Kind { id: "rule", noun: "rule", order: 90, retires: 0, only_seen: false, words: &RuleWords };

    /// Rules with names: `{ "10.200.2.0/24": "Rule-2" }`. A text is a record that the kind cannot read.
    struct RuleWords;

    impl Words for RuleWords {
        fn recorded(&self, shape: &Shape) -> Option<Recorded> {
            let number = shape.attributes.as_object()?.len();
            Some(Recorded { text: format!("{number} rules"), fields: vec![("cloud", "toy".to_owned())] })
        }

        fn named_rows(&self, shape: &Shape) -> Option<Vec<NamedRow>> {
            let row = |(destination, name): (&String, &Value)| NamedRow {
                destination: destination.parse().expect("prefix"),
                name: name.as_str().expect("name").into(),
                next_hop: format!("hop of {destination}"),
            };
            Some(shape.attributes.as_object().into_iter().flatten().map(row).collect())
        }

        fn leave_out(&self, shape: &mut Shape, is_left_out: &dyn Fn(&str) -> bool) {
            let rules = shape.attributes.make_mut().and_then(Value::as_object_mut).expect("rules");
            rules.retain(|_, name| !name.as_str().is_some_and(is_left_out));
        }
    }

    fn known() -> Known {
        Known { places: vec![&NODE, &CLOUD], kinds: vec![&RULE] }
    }

    fn shape(attributes: Value) -> Shape {
        Shape { routes: None, attributes: attributes.into() }
    }

    fn rules(numbers: &[u8]) -> Shape {
        let rule = |number: &u8| (format!("10.200.{number}.0/24"), json!(format!("Rule-{number}")));
        shape(Value::Object(numbers.iter().map(rule).collect::<Map<String, Value>>()))
    }

    fn settled(is: Shape) -> Record {
        Record::Settled { is, token: None }
    }

    /// A record of rules in the place `cloud:one`.
    fn entry(record: &Record) -> Entry<'_> {
        static ID: LazyLock<(Place, ResourceId)> =
            LazyLock::new(|| (known().place("cloud:one").expect("place"), "toy/rule".parse().expect("resource")));
        Entry::new(&known(), &ID.0, &ID.1, record)
    }

    fn rows(patterns: &[&str], record: &Record) -> Vec<String> {
        let patterns: Vec<AddressPattern> = patterns.iter().map(|pattern| pattern.parse().expect("pattern")).collect();
        let mut rows = Vec::new();
        let entry = entry(record);
        entry.selected_rows(&patterns, entry.is_selected(&patterns), |row| rows.push(row.to_string()));
        rows
    }

    fn texts(fields: &[(&'static str, String)]) -> Vec<String> {
        fields.iter().map(|(name, value)| format!("{name}: {value}")).collect()
    }

    #[test]
    fn rows_with_names_are_listed_and_dropped_by_name() {
        let mut record = settled(rules(&[2, 10, 9]));
        assert!(entry(&record).has_rows());
        for all in ["one", "rule.one", "rule.*", "*"] {
            assert_eq!(rows(&[all], &record), ["Rule-2", "Rule-9", "Rule-10"], "{all}");
        }
        assert_eq!(rows(&["rule.one[\"Rule-9\"]"], &record), ["Rule-9"]);
        assert_eq!(rows(&["rule.*[Rule-1*]"], &record), ["Rule-10"]);
        assert!(rows(&["rule.other"], &record).is_empty() && rows(&["kernel_route.*"], &record).is_empty());
        assert_eq!(entry(&record).number_of_rows(), 3);
        leave_out(&RuleWords, &mut record, &[Row::Name("rule-9".into()), Row::Name("Rule-10".into())].into());
        assert_eq!(record, settled(rules(&[2])));
        // A record in doubt has the rows of both sides, and they are dropped from both.
        let mut record = Record::InDoubt { is: Some(rules(&[2, 9])), to: Some(rules(&[9, 10])), also: Vec::new() };
        assert_eq!(rows(&["*"], &record), ["Rule-2", "Rule-9", "Rule-10"]);
        leave_out(&RuleWords, &mut record, &[Row::Name("Rule-9".into())].into());
        assert_eq!(rows(&["*"], &record), ["Rule-2", "Rule-10"]);
    }

    #[test]
    fn records_are_shown_in_the_words_of_their_kind() {
        let recorded = PlaceRecord::default();
        let shown = |record: &Record| texts(&describe(&entry(record), &recorded));
        assert_eq!(
            shown(&settled(rules(&[2, 9]))),
            ["recorded: 2 rules", "cloud: toy", "backend: toy", "place: cloud:one"]
        );
        // topo shows a record that it cannot read as it is.
        assert_eq!(
            shown(&settled(shape(json!("later")))),
            ["recorded: present", "attributes: \"later\"", "backend: toy", "place: cloud:one"]
        );
        let in_doubt = Record::InDoubt { is: None, to: Some(rules(&[2])), also: Vec::new() };
        assert_eq!(
            texts(&describe_row(&entry(&in_doubt), &recorded, &Row::Name("Rule-2".into()))),
            [
                "prefix: 10.200.2.0/24",
                "next hop: none, should become hop of 10.200.2.0/24",
                "recorded: in doubt",
                "backend: toy",
                "place: cloud:one",
            ]
        );
    }
}
