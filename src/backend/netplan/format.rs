//! The format of `netplan` tables in a topology.

use std::collections::{HashMap, HashSet};

use serde_json::json;

use super::settings::{check_ending, is_file_name, not_a_file_name};
use super::{Activate, BACKEND, Netplan, Persist, Settings};
use crate::backend::ssh_static::{self, settings_of};
use crate::backend::table_and_metric::TableAndMetric;
use crate::backend::two_mentions;
use crate::resource::Name;
use crate::topology::reader::{Located, TableReader};
use crate::topology::{Diagnostic, Reporter, RoutesOf, Table, TableFormat, TableRead, Tables};

impl TableFormat for Netplan {
    fn id(&self) -> &'static str {
        BACKEND
    }

    fn codes(&self) -> &'static [&'static str] {
        super::findings::CODES
    }

    fn read(&self, reader: &mut TableReader<'_>) -> TableRead {
        let given = TableAndMetric::read(reader);
        let file = reader.string("file");
        let choice = reader.choice("persist", &[("netplan", Persist::Netplan), ("networkd", Persist::Networkd)]);
        let activate = reader.choice("activate", &[("reload", Activate::Reload), ("defer", Activate::Defer)]);
        let persist = choice.map_or_else(Persist::default, |choice| choice.value);
        if let Some(file) = file {
            if !is_file_name(file.value) {
                not_a_file_name(reader, file).report_to(reader.report);
            } else if choice.is_some() || !reader.has("persist") {
                check_ending(reader, file, persist, choice.map(|choice| choice.span));
            }
        }
        let settings = Settings {
            file: file.map_or_else(|| persist.default_file(), |file| file.value.to_owned()),
            persist,
            activate: activate.map_or_else(Activate::default, |activate| activate.value),
            table: given.table.map(|table| table.value),
            metric: given.metric.map(|metric| metric.value),
        };
        TableRead { settings: json!(settings), routes: RoutesOf::Nodes, given: Box::new(given) }
    }

    /// Checks that each node has at most one file, and that this file keeps the routes of `ssh-static` there.
    fn check(&self, tables: &Tables<'_>, report: &Reporter) {
        let own: Vec<(Table<'_>, &TableAndMetric)> =
            tables.of(BACKEND).filter_map(|table| Some((table, table.given()?))).collect();
        let says_which = |(_, given): &(_, &TableAndMetric)| given.table.is_some() || given.metric.is_some();
        // A single file that copies all settings from the other backends is right on every node.
        if own.len() < 2 && !own.iter().any(says_which) {
            return;
        }
        let statics: Vec<_> = settings_of(tables).collect();
        let mut statics_of: HashMap<&Name, Vec<&(Table<'_>, ssh_static::Settings)>> = HashMap::new();
        for one in &statics {
            for node in one.0.nodes {
                statics_of.entry(node).or_default().push(one);
            }
        }
        let mut first_of: HashMap<&Name, Table<'_>> = HashMap::new();
        let mut said = HashSet::new();
        for (table, given) in &own {
            for node in table.nodes {
                let first = *first_of.entry(node).or_insert(*table);
                if first.number != table.number && said.insert((table.number, first.number)) {
                    let error = two_mentions(first.name, table.name, |one, other| {
                        format!("Backends `{one}` and `{other}` would both keep the routes of node `{node}` in a file.")
                    });
                    error.hint("Set different `nodes` for them: a node can have only one such file.").report_to(report);
                }
                let Some(present) = statics_of.get(node) else { continue };
                if given.damaged || present.iter().any(|(_, settings)| differences(given, settings).next().is_none()) {
                    continue;
                }
                let (other, settings) = present[0];
                if said.insert((table.number, other.number)) {
                    report_unfit((table, given), other, settings, node, report);
                }
            }
        }
    }

    fn schema(&self) -> &'static str {
        include_str!("schema.json")
    }

    fn example(&self) -> Option<&'static str> {
        Some(
            "# Uncomment this for routes that survive reboots, in /etc/netplan/60-topo.yaml on each node.\n\
             # [backends.netplan]\n",
        )
    }
}

/// The keys of a file that differ from the routes of `ssh-static`, each with its value there. A missing value always fits.
fn differences(
    given: &TableAndMetric,
    settings: &ssh_static::Settings,
) -> impl Iterator<Item = (&'static str, Located<u32>, Option<u32>)> {
    let table = given.table.filter(|table| table.value != settings.table);
    // For the kernel, a metric of 0 means none.
    let metric = given.metric.filter(|metric| metric.value != settings.metric.unwrap_or(0));
    let table = table.map(|table| ("table", table, Some(settings.table)));
    table.into_iter().chain(metric.map(|metric| ("metric", metric, settings.metric)))
}

fn report_unfit(
    (table, given): (&Table<'_>, &TableAndMetric),
    other: &Table<'_>,
    settings: &ssh_static::Settings,
    node: &Name,
    report: &Reporter,
) {
    let Some(others) = other.given::<TableAndMetric>().filter(|others| !others.damaged) else { return };
    let (one, two) = (table.name.value, other.name.value);
    for (key, given, has) in differences(given, settings) {
        let place = if key == "table" { others.table } else { others.metric };
        let has = has.map_or_else(|| format!("no {key}"), |value| format!("{key} {value}"));
        let value = given.value;
        let message =
            format!("Backend `{one}` sets {key} {value} for the routes of node `{node}`, but `{two}` sets {has}.");
        Diagnostic::error(given.span, message, format!("{key} {value}"))
            .second(place.map_or(other.name.span, |place| place.span), has)
            .hint(format!("Remove `{key}` from `{one}`: its file keeps the routes of `{two}`."))
            .report_to(report);
    }
}
