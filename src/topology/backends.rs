//! The tables of backends: the backend of each, the nodes that it serves, and whether the tables fit together.

use std::collections::BTreeSet;

use super::diagnostics::{Diagnostic, Reporter};
use super::draft::{BackendDraft, Draft};
use super::format::{Formats, Table, Tables};
use super::glob::matching;
use super::patterns::{read_patterns, report_no_match};
use super::reader::{Entry, TableReader};
use super::suggest::did_you_mean;
use crate::resource::Name;

/// Reads one table below `[backends]`.
pub(super) fn read<'a>(entry: &Entry<'a>, mut reader: TableReader<'a>, formats: Formats) -> Option<BackendDraft<'a>> {
    let given = reader.string("type");
    if given.is_none() && (reader.has("type") || !Name::is_valid(entry.key)) {
        return None;
    }
    let wanted = given.unwrap_or(entry.name());
    let Some(format) = formats.iter().copied().find(|format| format.id() == wanted.value) else {
        let shown = wanted.value.escape_debug();
        let known: Vec<&str> = formats.iter().map(|format| format.id()).collect();
        let list: Vec<String> = known.iter().map(|known| format!("`{known}`")).collect();
        Diagnostic::error(wanted.span, format!("There is no backend `{shown}`."), "unknown backend")
            .hint(did_you_mean(wanted.value, &known).unwrap_or_else(|| {
                format!("Known backends: {}. A table with another name needs type = \"…\".", list.join(", "))
            }))
            .report_to(reader.report);
        return None;
    };
    if let Some(hint) = format.left_out() {
        let message = format!("This build of topo does not have the backend `{}`.", format.id());
        Diagnostic::error(wanted.span, message, "not in this build").hint(hint).report_to(reader.report);
        return None;
    }
    let patterns = read_patterns(&mut reader);
    let read = format.read(&mut reader);
    reader.finish_with(|entry| format.hint_about(entry.key));
    Some(BackendDraft { name: entry.name(), format, patterns, read })
}

/// The nodes that each backend serves.
pub(super) fn check(draft: &Draft<'_>, names: &[Name], formats: Formats, report: &Reporter) -> Vec<BTreeSet<Name>> {
    let mut served: Vec<BTreeSet<Name>> = Vec::with_capacity(draft.backends.len());
    for backend in &draft.backends {
        let Some(patterns) = &backend.patterns else {
            served.push(names.iter().cloned().collect());
            continue;
        };
        let mut nodes = Vec::new();
        for pattern in patterns {
            let before = nodes.len();
            nodes.extend(matching(pattern.value, &draft.nodes).map(|index| names[index].clone()));
            if nodes.len() == before {
                report_no_match(*pattern, "backend", backend.name.value, report);
            }
        }
        served.push(nodes.into_iter().collect());
    }
    let tables = draft.backends.iter().zip(&served).enumerate().map(|(number, (backend, nodes))| {
        let BackendDraft { name, format, read, .. } = backend;
        let (backend, given) = (format.id(), &*read.given);
        Table { number, name: *name, backend, settings: &read.settings, nodes, given }
    });
    let tables = Tables { all: tables.collect(), nodes: &draft.nodes, pods: &draft.pods };
    for format in formats {
        format.check(&tables, report);
    }
    served
}
