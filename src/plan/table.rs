//! What happens to one routing table of one node: two route sets, and the keys whose live rows are not as recorded.

mod live;
mod operations;

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::Arc;

use super::ForeignKey;
use super::classify::KeyVerdict;
use crate::exchange::node::{Listed, LiveRoute};
use crate::network::{Prefix, RouteSet, View};
use crate::resource::{Phase, Token};
pub use operations::Reasons;

/// The changes of one table (and metric) of one node. Routes are computed when they are asked for.
#[derive(Clone, Debug)]
pub struct TablePlan {
    /// How the routes are written: table, metric, protocol.
    pub view: Arc<View>,
    /// Protocols that are our mark there: the one that is written, and the recorded one where it differs.
    pub marks: Vec<u8>,
    /// What is recorded and, but for `special`, live.
    pub from: Option<RouteSet>,
    /// What else is recorded, where the record is in doubt.
    pub doubts: Vec<RouteSet>,
    /// What is wanted.
    pub to: Option<RouteSet>,
    /// Keys whose live rows are not as recorded, with what follows for each.
    pub special: BTreeMap<Prefix, KeyVerdict>,
    /// What a record in doubt turned out to be, where the place was looked at; several where the marks differ.
    pub settled: Vec<RouteSet>,
    /// What the place gave for the table when it was looked at.
    pub token: Option<Token>,
    /// Whether rows with our mark are there that are neither wanted nor recorded: the token cannot stand for the record then.
    pub has_strays: bool,
    /// Whether others' rows win over wanted ones: they are to be listed again each time, for the warning.
    pub has_winners: bool,
    /// Whether a row without our mark is changed, so that the guard has to include the others' rows.
    pub guard_foreign: bool,
    /// Whether the live rows of this table are looked at for it. Not where its routes stand in a file and somebody else of ours
    /// puts them into the kernel.
    pub judged: bool,
    /// Whether the routes stand in a file of the same resource, and come and go with it.
    pub in_file: bool,
    /// Whether a file of ours has or had the routes, so that live rows may be static.
    pub filed: bool,
    /// Whether a file of ours is to have the routes.
    pub stays_static: bool,
    /// When rows are removed: with the file, where a file of ours is written before.
    pub retires: Phase,
}

/// What is said about a table beside its changes.
#[derive(Debug, Default)]
pub struct TableFindings {
    /// Keys that somebody else has, and what is there.
    pub conflicts: Vec<(Prefix, ForeignKey)>,
    /// Routes that somebody else provides.
    pub provided: Vec<(Prefix, String)>,
    /// Records of rows that somebody else has now and that are not wanted any more.
    pub lost: Vec<(Prefix, String)>,
    /// Rows with our mark that are neither wanted nor recorded.
    pub stray: Vec<LiveRoute>,
    /// Other rows that win over a wanted route for some or all of its addresses: wanted destination, description.
    pub wins: Vec<(Prefix, String)>,
    /// Keys of ours that cannot be changed because somebody else has put a row beside ours.
    pub held: Vec<(Prefix, String)>,
    /// Rows that lead pods of the node itself away, each with whether `--take-over` can remove it.
    pub led_away: Vec<(LiveRoute, bool)>,
    /// Rows that lead a part of the node's own pods away: the pod subnet, the row.
    pub partly_led_away: Vec<(Prefix, LiveRoute)>,
    /// Keys of subnets that were the node's own and whose bridge still has them.
    pub deferred: Vec<(Prefix, String)>,
}

/// What a table is judged by.
pub struct TableInput<'a> {
    /// Protocols that are our mark in this table, recorded or wanted.
    pub marks: Vec<u8>,
    /// Those of this resource alone.
    pub own_marks: Vec<u8>,
    /// What is recorded: one shape, or two where it is in doubt.
    pub recorded: &'a [&'a RouteSet],
    /// Whether the record is in doubt.
    pub in_doubt: bool,
    /// What is recorded and was confirmed once; the rest of a record in doubt may never have been written.
    pub firm: Vec<&'a RouteSet>,
    /// What is wanted.
    pub wanted: Option<&'a RouteSet>,
    /// What was listed.
    pub listed: Option<&'a Listed>,
    /// Whether a destination is taken over from others.
    pub take_over: &'a dyn Fn(&Prefix) -> bool,
    /// Whether the live rows are looked at for it.
    pub judged: bool,
    /// Whether the routes stand in a file of the same resource.
    pub in_file: bool,
    /// What files of ours keep there.
    pub files: &'a FiledRoutes<'a>,
}

/// The routes that files of ours keep on a node: systemd-networkd installs them as protocol static.
#[derive(Debug, Default)]
pub struct FiledRoutes<'a> {
    /// As recorded.
    pub recorded: Vec<&'a RouteSet>,
    /// As they stand in files of this topology that are there, recorded or not.
    pub found: BTreeMap<Prefix, IpAddr>,
    /// Whether such a file is to be there.
    pub wanted: bool,
}

impl FiledRoutes<'_> {
    /// Whether a static row with this destination comes from a file of ours.
    pub fn has(&self, destination: &Prefix) -> bool {
        self.found.contains_key(destination) || self.recorded.iter().any(|set| set.find(destination).is_some())
    }

    /// Whether static rows may be ours.
    pub fn any(&self) -> bool {
        self.wanted || !self.recorded.is_empty() || !self.found.is_empty()
    }
}

impl TablePlan {
    /// Judges one table by its two route sets (at least one of which is there) and its live rows.
    pub fn new(input: &TableInput<'_>) -> Option<(Self, TableFindings)> {
        let view = input.wanted.or(input.recorded.first().copied()).map(|set| Arc::clone(&set.view))?;
        let from = input.recorded.first().map(|set| (*set).clone());
        let mut plan = Self {
            view,
            marks: input.marks.clone(),
            from,
            doubts: input.recorded.iter().skip(1).map(|set| (*set).clone()).collect(),
            to: input.wanted.cloned(),
            special: BTreeMap::new(),
            settled: Vec::new(),
            token: input.listed.map(|listed| listed.token.clone()),
            has_strays: false,
            has_winners: false,
            guard_foreign: false,
            judged: input.judged,
            in_file: input.in_file,
            filed: !input.files.recorded.is_empty() || !input.files.found.is_empty(),
            stays_static: input.files.wanted,
            retires: Phase::Retire,
        };
        let mut findings = TableFindings::default();
        match input.listed {
            Some(listed) => plan.judge(input, listed, &mut findings),
            // Nobody looked: what somebody else was seen to provide is taken to be there still.
            None => {
                if let (Some(from), Some(to)) = (&plan.from, &mut plan.to) {
                    to.lacks = Arc::clone(&from.lacks);
                }
            }
        }
        Some((plan, findings))
    }
}

#[cfg(test)]
mod tests;
