//! `table` and `metric` of a backend that writes kernel routes.

use crate::network::MAIN_TABLE;
use crate::topology::Diagnostic;
use crate::topology::reader::{Located, TableReader};

/// The kernel's local table (`RT_TABLE_LOCAL`, linux/rtnetlink.h): the kernel keeps the machine's own addresses there.
const LOCAL_TABLE: u32 = 255;

/// The routing table and the metric in a backend's table, if it sets them.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct TableAndMetric {
    /// Number of the routing table.
    pub table: Option<Located<u32>>,
    /// Metric of the routes.
    pub metric: Option<Located<u32>>,
    /// Whether one of them was unreadable, so that a missing value proves nothing.
    pub damaged: bool,
}

impl TableAndMetric {
    /// Reads the two keys, and reports errors.
    pub(super) fn read(reader: &mut TableReader<'_>) -> Self {
        let table: Option<Located<u32>> = reader.integer("table", 1..=i64::from(u32::MAX));
        let metric = reader.integer("metric", 0..=i64::from(u32::MAX));
        let local = table.filter(|table| table.value == LOCAL_TABLE);
        if let Some(Located { span, .. }) = local {
            let message = "Table 255 is the kernel's own table of local addresses.";
            Diagnostic::error(span, message, "the kernel's local table")
                .hint(format!("Remove `table` to use the main table, {MAIN_TABLE}."))
                .report_to(reader.report);
        }
        let unreadable = |key, read: Option<Located<u32>>| read.is_none() && reader.has(key);
        Self { table, metric, damaged: local.is_some() || unreadable("table", table) || unreadable("metric", metric) }
    }
}
