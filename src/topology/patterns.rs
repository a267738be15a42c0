//! `nodes`, a list of patterns for names of nodes.

use super::diagnostics::{Diagnostic, Reporter};
use super::grammar;
use super::reader::{Located, TableReader};

/// Reads `nodes`, a list of patterns.
pub(super) fn read_patterns<'a>(reader: &mut TableReader<'a>) -> Option<Vec<Located<&'a str>>> {
    let texts = reader.strings("nodes")?;
    texts.refuse_empty(|| format!("`nodes` of {} is empty.", reader.subject), Some("For all nodes, write [\"*\"]."));
    let report = reader.report;
    Some(texts.filter(|text| grammar::PATTERN.accepts(*text, "a valid pattern for names of nodes", report)).collect())
}

/// Reports a pattern that matches no node, unless the node may be in a part that is not TOML.
pub(super) fn report_no_match(pattern: Located<&str>, kind: &str, name: &str, report: &Reporter) {
    if !report.broken {
        let message = format!("The pattern `{}` of {kind} `{name}` matches no node.", pattern.value);
        Diagnostic::warning(pattern.span, message, "no node")
            .hint("Remove it, or check the spelling of the names in [nodes].")
            .report_to(report);
    }
}
