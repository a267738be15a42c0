//! The tables of backends: which backend each is, which nodes it serves, and whether they go together.

use std::collections::{BTreeSet, HashMap, HashSet};

use serde_json::Value as Json;

use crate::backend::{azure_udr, netplan, ssh_static};

use super::azure_tables;
use super::check::matches_nothing;
use super::diagnostics::{Diagnostic, Reporter};
use super::document::{Draft, read_patterns};
use super::glob::for_each_match;
use super::reader::{Entry, Located, TableReader, did_you_mean};
use super::table_and_metric::TableAndMetric;
use crate::resource::Name;

/// All backends; those that are an option of the build among them.
const BACKENDS: &[&str] = &[ssh_static::BACKEND, netplan::BACKEND, azure_udr::BACKEND];

pub(super) struct BackendDraft<'a> {
    pub(super) name: Located<&'a str>,
    pub(super) backend: &'static str,
    /// None: all nodes.
    pub(super) patterns: Option<Vec<Located<&'a str>>>,
    pub(super) settings: Json,
    /// Of `azure-udr`: its settings, and where they stand.
    pub(super) azure: Option<(azure_udr::Settings, azure_udr::Given)>,
    given: TableAndMetric,
}

/// Reads one table below `[backends]`. With `broken` some of the document was not TOML, so that nothing follows from what
/// is not there.
pub(super) fn read<'a>(entry: &Entry<'a>, mut reader: TableReader<'a>, broken: bool) -> Option<BackendDraft<'a>> {
    let given = reader.string("type");
    if given.is_none() && reader.has("type") {
        return None;
    }
    if given.is_none() && !Name::is_valid(entry.key) {
        return None;
    }
    let wanted = given.unwrap_or(Located { value: entry.key, span: entry.key_span });
    let Some(backend) = BACKENDS.iter().copied().find(|known| *known == wanted.value) else {
        let shown = wanted.value.escape_debug();
        let list: Vec<String> = BACKENDS.iter().map(|known| format!("`{known}`")).collect();
        reader.report(
            Diagnostic::error(wanted.span, format!("There is no backend `{shown}`.")).label("unknown backend").hint(
                did_you_mean(wanted.value, BACKENDS).unwrap_or_else(|| {
                    format!("Known: {}. A table with a name of its own needs type = \"…\".", list.join(", "))
                }),
            ),
        );
        return None;
    };
    if backend == azure_udr::BACKEND && !cfg!(feature = "azure") {
        reader.report(
            Diagnostic::error(wanted.span, format!("The backend `{backend}` was left out of this build of topo."))
                .label("not in this build")
                .hint("Take a topo that was built with the cargo feature `azure`, which is on by default."),
        );
        return None;
    }
    let patterns = read_patterns(&mut reader);
    let name = Located { value: entry.key, span: entry.key_span };
    if backend == azure_udr::BACKEND {
        let (settings, places) = azure_udr::Settings::read(&mut reader, broken);
        reader.finish_with(azure_udr::Settings::hint_about);
        let (json, given) = (settings.to_json(), TableAndMetric::default());
        return Some(BackendDraft { name, backend, patterns, settings: json, azure: Some((settings, places)), given });
    }
    let given = TableAndMetric::read(&mut reader);
    let settings = if backend == netplan::BACKEND {
        netplan::Settings::read(&mut reader, &given).to_json()
    } else {
        ssh_static::Settings::read(&mut reader, &given).to_json()
    };
    reader.finish();
    Some(BackendDraft { name, backend, patterns, settings, azure: None, given })
}

/// The nodes that each backend serves. With `broken` some of the document was not TOML, so that nothing follows from what
/// is not there.
pub(super) fn check(draft: &Draft<'_>, names: &[Name], report: &Reporter, broken: bool) -> Vec<BTreeSet<Name>> {
    let mut served: Vec<BTreeSet<Name>> = Vec::with_capacity(draft.backends.len());
    for backend in &draft.backends {
        let Some(patterns) = &backend.patterns else {
            served.push(names.iter().cloned().collect());
            continue;
        };
        let mut nodes = Vec::new();
        for pattern in patterns {
            let before = nodes.len();
            for_each_match(pattern.value, &draft.nodes, |index| nodes.push(names[index].clone()));
            if nodes.len() == before && !broken {
                report.report(matches_nothing(*pattern, "backend", backend.name.value));
            }
        }
        served.push(nodes.into_iter().collect());
    }
    let statics = routes_of_static(draft);
    check_static(&statics, draft, &served, report);
    check_netplan(&statics, draft, &served, report);
    azure_tables::check(draft, &served, report);
    served
}

/// The tables of `ssh-static`: the place of each, and its settings.
fn routes_of_static(draft: &Draft<'_>) -> Vec<(usize, ssh_static::Settings)> {
    let tables = draft.backends.iter().enumerate().filter(|(_, backend)| backend.backend == ssh_static::BACKEND);
    tables
        .filter_map(|(number, backend)| Some((number, ssh_static::Settings::from_json(&backend.settings).ok()?)))
        .collect()
}

/// Whether no two tables of `ssh-static` write the same routes on the same node.
fn check_static(
    statics: &[(usize, ssh_static::Settings)],
    draft: &Draft<'_>,
    served: &[BTreeSet<Name>],
    report: &Reporter,
) {
    for (at, (number, settings)) in statics.iter().enumerate() {
        for (before, _) in statics[..at].iter().filter(|(_, other)| other.same_key(settings)) {
            let Some(node) = served[*before].intersection(&served[*number]).next() else { continue };
            let (one, other) = (draft.backends[*before].name, draft.backends[*number].name);
            let message =
                format!("Backends `{}` and `{}` would write the same routes on node `{node}`.", one.value, other.value);
            report.report(
                Diagnostic::error(other.span, message)
                    .label("the second")
                    .second(one.span, "the first")
                    .hint("Give them separate `nodes`, or another `table` or `metric`."),
            );
        }
    }
}

/// Whether each node has one file at most, and whether it keeps the routes that `ssh-static` puts there.
fn check_netplan(
    statics: &[(usize, ssh_static::Settings)],
    draft: &Draft<'_>,
    served: &[BTreeSet<Name>],
    report: &Reporter,
) {
    let tables = draft.backends.iter().zip(served).enumerate();
    let tables: Vec<_> = tables.filter(|(_, (backend, _))| backend.backend == netplan::BACKEND).collect();
    let given = |(_, (backend, _)): &(usize, (&BackendDraft<'_>, _))| {
        backend.given.table.is_some() || backend.given.metric.is_some()
    };
    // A single file that takes all from the other backends is as it should be on every node.
    if tables.len() < 2 && !tables.iter().any(given) {
        return;
    }
    let mut statics_of: HashMap<&Name, Vec<&(usize, ssh_static::Settings)>> = HashMap::new();
    for table in statics {
        for node in &served[table.0] {
            statics_of.entry(node).or_default().push(table);
        }
    }
    let mut first_of: HashMap<&Name, usize> = HashMap::new();
    let mut said = HashSet::new();
    for (number, (backend, nodes)) in tables {
        for node in nodes {
            let first = *first_of.entry(node).or_insert(number);
            if first != number && said.insert((number, first)) {
                let (name, other) = (backend.name, draft.backends[first].name);
                let (one, other) = if other.span < name.span { (other, name) } else { (name, other) };
                let message = format!(
                    "Backends `{}` and `{}` would both keep the routes of node `{node}` in a file.",
                    one.value, other.value
                );
                report.report(
                    Diagnostic::error(other.span, message)
                        .label("the second")
                        .second(one.span, "the first")
                        .hint("Give them separate `nodes`: a node has one such file."),
                );
            }
            let Some(present) = statics_of.get(node) else { continue };
            if backend.given.damaged || present.iter().any(|(_, settings)| fits(&backend.given, settings)) {
                continue;
            }
            let (other, settings) = present[0];
            if said.insert((number, *other)) {
                report_unfit(backend, &draft.backends[*other], settings, node, report);
            }
        }
    }
}

/// Whether what is given for the file is what the routes of `ssh-static` have; what is not given fits.
fn fits(given: &TableAndMetric, settings: &ssh_static::Settings) -> bool {
    given.table.is_none_or(|table| table.value == settings.table)
        && given.metric.is_none_or(|metric| same_metric(Some(metric.value), settings.metric))
}

/// To the kernel a metric of 0 is none.
fn same_metric(left: Option<u32>, right: Option<u32>) -> bool {
    left.unwrap_or(0) == right.unwrap_or(0)
}

fn report_unfit(
    backend: &BackendDraft<'_>,
    other: &BackendDraft<'_>,
    settings: &ssh_static::Settings,
    node: &Name,
    report: &Reporter,
) {
    if other.given.damaged {
        return;
    }
    let (one, two) = (backend.name.value, other.name.value);
    let unfit = |key: &str, given: Located<u32>, has: Option<u32>, place: Option<Located<u32>>| {
        let has = has.map_or_else(|| format!("no {key}"), |value| format!("{key} {value}"));
        let message = format!(
            "Backend `{one}` gives {key} {} to the routes of node `{node}`, and `{two}` gives them {has}.",
            given.value
        );
        report.report(
            Diagnostic::error(given.span, message)
                .label(format!("{key} {}", given.value))
                .second(place.map_or(other.name.span, |place| place.span), has)
                .hint(format!("Leave `{key}` out of `{one}`: its file keeps the routes that `{two}` puts in place.")),
        );
    };
    if let Some(table) = backend.given.table.filter(|table| table.value != settings.table) {
        unfit("table", table, Some(settings.table), other.given.table);
    }
    if let Some(metric) = backend.given.metric.filter(|metric| !same_metric(Some(metric.value), settings.metric)) {
        unfit("metric", metric, settings.metric, other.given.metric);
    }
}
