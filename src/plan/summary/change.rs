//! What a reviewer reads: one change, wherever it applies.

use std::collections::HashMap;
use std::ops::ControlFlow;
use std::sync::Arc;

use super::group::Group;
use super::line::{Line, SettingLine, split_reason};
use crate::network::{Memo, RouteSet};
use crate::plan::Plan;
use crate::resource::words::Setting;
use crate::resource::{Action, Reason};

/// What is done for one reason, wherever it is done.
#[derive(Debug)]
pub struct Change {
    /// The kind of resource.
    pub kind: Arc<str>,
    /// The name of the resource in its place: a file's; empty where a place has one resource of the kind.
    pub name: Arc<str>,
    /// What is done.
    pub action: Action,
    /// Why. A description of what is live is empty here; the lines have it.
    pub reason: Reason,
    /// Number of routes or of things, over all places.
    pub count: usize,
    /// The least and the most that a place of it has.
    pub each: (usize, usize),
    /// The places, as numbers for [`super::Summary::place`], in natural order.
    pub members: Arc<[u32]>,
    /// The change that these routes are a part of, as a number among all changes: routes that stand in a file change with
    /// the file, and count with it.
    pub part_of: Option<usize>,
    /// What changes.
    pub what: What,
}

/// What a change consists of.
#[derive(Debug)]
pub enum What {
    /// Routes.
    Routes {
        /// Number of different lines.
        lines: usize,
        /// The lines, by the places that share them.
        parts: Vec<Part>,
    },
    /// What is set on things.
    Settings(Vec<SettingLine>),
    /// A file as a whole.
    File {
        /// Where it is.
        path: Arc<str>,
        /// What it adds to, as people say it; empty where nobody has looked.
        definition: Arc<str>,
        /// A unified difference, where somebody changed it by hand.
        difference: Option<Arc<str>>,
    },
}

/// Lines of a change that apply to the same places.
#[derive(Debug)]
pub struct Part {
    /// Number of the routing table; none where the place is the table.
    pub table: Option<u32>,
    /// Metric of the routes, where one is given.
    pub metric: Option<u32>,
    /// Route protocol number that is written, where routes have one.
    pub protocol: Option<u8>,
    /// The places, as numbers for [`super::Summary::place`], in natural order.
    pub members: Arc<[u32]>,
    /// Number of routes, over all places.
    pub count: usize,
    /// Number of lines.
    pub len: usize,
    pub(super) lines: Lines,
    /// Number of lines that a place does not have.
    pub(super) missing: HashMap<u32, usize>,
}

#[derive(Debug)]
pub(super) enum Lines {
    Listed(Vec<Line>),
    Computed(Arc<Group>),
}

impl Change {
    /// Whether it is a difference between what was recorded and what is live, and not one of the topology.
    pub fn is_drift(&self) -> bool {
        self.reason.is_drift()
    }

    /// The node whose coming or going is the reason.
    pub fn reason_node(&self) -> Option<&str> {
        match &self.reason {
            Reason::NodeAdded(name) | Reason::NodeRemoved(name) => Some(name.as_str()),
            _ => None,
        }
    }

    /// The lines of routes, by the places that share them.
    pub fn parts(&self) -> &[Part] {
        match &self.what {
            What::Routes { parts, .. } => parts,
            What::Settings(_) | What::File { .. } => &[],
        }
    }

    /// What is set, of all its lines.
    pub fn settings(&self) -> Vec<Setting> {
        match &self.what {
            What::Settings(lines) => lines.iter().flat_map(|line| line.settings.iter().cloned()).collect(),
            What::Routes { .. } | What::File { .. } => Vec::new(),
        }
    }

    /// Goes through the lines of all parts, until it is told to stop.
    pub fn for_each(&self, plan: &Plan, mut take: impl FnMut(&Part, Line) -> ControlFlow<()>) {
        for part in self.parts() {
            if part.for_each(plan, self, |line| take(part, line)).is_break() {
                return;
            }
        }
    }
}

impl Part {
    /// Goes through the lines, sorted by destination, until it is told to stop.
    pub fn for_each(
        &self,
        plan: &Plan,
        change: &Change,
        mut take: impl FnMut(Line) -> ControlFlow<()>,
    ) -> ControlFlow<()> {
        match &self.lines {
            Lines::Listed(lines) => lines.iter().cloned().try_for_each(take),
            Lines::Computed(group) => group.for_each_line(plan, &mut Memo::default(), |operation, line| {
                let is_of_this = operation.action == change.action && line.without.len() < self.members.len();
                if is_of_this && split_reason(operation.reason).0 == change.reason {
                    take(line)
                } else {
                    ControlFlow::Continue(())
                }
            }),
        }
    }

    /// The routes of a place that owns nothing, where all of a list comes or goes; none where routes are told one by one.
    pub fn whole_list(&self) -> Option<&RouteSet> {
        match &self.lines {
            Lines::Computed(group) => group.whole_list(),
            Lines::Listed(_) => None,
        }
    }

    /// The places that have a line.
    pub fn members_of<'a>(&'a self, line: &'a Line) -> impl Iterator<Item = u32> + Clone + 'a {
        self.members.iter().copied().filter(|member| !line.without.contains(member))
    }
}
