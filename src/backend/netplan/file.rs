//! What happens to one file that keeps the routes of a node.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::net::IpAddr;
use std::sync::Arc;

use super::findings::{file_conflict, no_link, not_loaded, stays_loaded};
use super::{Attributes, LinkError, find_links, render, routes_in};
use crate::backend::difference::unified;
use crate::backend::header::{Header, Whose};
use crate::exchange::node::{FileForm, FoundFile, Inspected, NetworkConfiguration};
use crate::network::{Memo, Prefix, RouteSet};
use crate::plan::findings::{Finding, Severity};
use crate::plan::judge::{self, Claim, Form, Live, Owner, Verdict};
use crate::plan::{FileChange, FilePlan, Options, TablePlan};
use crate::resource::{Action, Evidence, Phase, Place, Reason, Record, ResourceId, Shape, SharedJson};

/// Permission bits of our files: netplan warns of others where keys could stand, and networkd, which is not root, has to read its own.
fn usual_mode(path: &str) -> u32 {
    if path.starts_with("/etc/netplan/") { 0o600 } else { 0o644 }
}

/// What a file is judged by.
pub(crate) struct FileInput<'a> {
    pub(crate) place: &'a Place,
    pub(crate) id: &'a ResourceId,
    pub(crate) header: &'a Header,
    pub(crate) wanted: Option<&'a Shape>,
    pub(crate) record: Option<&'a Record>,
    pub(crate) inspected: Option<&'a Inspected>,
    /// Whether root looked.
    pub(crate) is_root: bool,
    pub(crate) options: &'a Options,
}

/// The routes of a file of this topology as it is on a node: they are ours though networkd installs them as static.
pub(crate) fn routes_found(
    inspected: Option<&Inspected>,
    header: &Header,
    options: &Options,
) -> BTreeMap<Prefix, IpAddr> {
    let files = inspected.and_then(|inspected| inspected.found.sent()).into_iter().flat_map(|found| &found.files);
    files
        .filter(|file| Whose::of(&file.text, header, options.new_lineage) == Whose::Ours)
        .flat_map(|file| routes_in(&file.text))
        .collect()
}

/// Remembers what topo made for the last files, because most files of a topology are alike.
#[derive(Default)]
pub(crate) struct FileMemo {
    attributes: [Option<(SharedJson, Arc<Attributes>)>; 2],
    told: Option<FileInWords>,
}

/// A file in words.
struct FileInWords {
    attributes: Arc<Attributes>,
    version: Option<String>,
    name: Arc<str>,
    path: Arc<str>,
    definition: Arc<str>,
}

impl FileMemo {
    fn attributes(&mut self, shape: &Shape) -> Arc<Attributes> {
        let known = self.attributes.iter().flatten().find(|(json, _)| *json == shape.attributes);
        if let Some((_, attributes)) = known {
            return Arc::clone(attributes);
        }
        let attributes = Arc::new(Attributes::of(shape));
        self.attributes.rotate_right(1);
        self.attributes[0] = Some((shape.attributes.clone(), Arc::clone(&attributes)));
        attributes
    }

    fn told(&mut self, attributes: &Arc<Attributes>, version: Option<&str>, name: &Arc<str>) -> &FileInWords {
        let is_same = |told: &FileInWords| {
            told.attributes == *attributes && told.version.as_deref() == version && told.name == *name
        };
        let told = self.told.take().filter(is_same).unwrap_or_else(|| FileInWords {
            attributes: Arc::clone(attributes),
            version: version.map(str::to_owned),
            name: Arc::clone(name),
            path: path(attributes, name).into(),
            definition: definition(attributes, version).into(),
        });
        self.told.insert(told)
    }
}

/// Plans a file that is wanted or recorded. `tables` are the plans of its routes, with what others have left out.
pub(crate) fn plan_file(
    input: &FileInput<'_>,
    tables: &[TablePlan],
    memo: &mut Memo,
    files: &mut FileMemo,
) -> Option<(FilePlan, Vec<Finding>)> {
    let recorded = input.record.and_then(|record| record.shapes().next());
    let mut attributes = files.attributes(input.wanted.or(recorded)?);
    let recorded_attributes = recorded.map(|recorded| files.attributes(recorded));
    let found = input.inspected.and_then(|inspected| inspected.found.sent());
    let routes = tables.iter().find_map(|table| table.to.as_ref());
    let mut findings: Vec<Finding> = Vec::new();
    let mut problem = None;
    match (found, routes) {
        (Some(found), Some(routes)) if input.wanted.is_some() => {
            match find_links(&attributes, recorded_attributes.as_deref(), routes, found) {
                Ok(links) => Arc::make_mut(&mut attributes).links = links,
                Err(error) => problem = Some(error),
            }
        }
        _ => match &recorded_attributes {
            // Mostly nothing but the definitions differs.
            Some(recorded) if recorded.same_settings(&attributes) && recorded.waiting == attributes.waiting => {
                attributes = Arc::clone(recorded);
            }
            Some(recorded) => Arc::make_mut(&mut attributes).links.clone_from(&recorded.links),
            None => {}
        },
    }
    let wanted = input.wanted.is_some();
    let draft = Draft { input, attributes: &attributes, tables };
    // Only root can read the files of netplan. The place has an error of its own for what cannot be written.
    let is_hidden = !input.is_root && problem == Some(LinkError::Unreadable);
    let problem = problem.filter(|_| !is_hidden);
    let mut change = match found.filter(|_| !is_hidden) {
        Some(found) => draft.judge(found, routes, memo, &mut findings),
        None => draft.by_record(recorded_attributes.as_deref(), memo),
    };
    // Others keep all of its routes, so there is no file and nothing to record.
    let is_empty =
        found.zip(routes).is_some_and(|(found, routes)| found.files.is_empty() && routes.routes().next().is_none());
    if is_empty && matches!(change, Some((Action::Import, _))) {
        return None;
    }
    // What belongs to the file alone and is not live is brought back by loading it again, where it is loaded at once; and it
    // goes with the file, also where that has gone already.
    let unsettled = |memo: &mut Memo| tables.iter().any(|table| table.owns_live_rows && !table.is_settled(memo));
    if change.is_none() && findings.iter().all(|one| one.severity != Severity::Conflict) && unsettled(memo) {
        change = match (wanted, attributes.deferred) {
            (true, false) => Some((Action::Change, Reason::Missing)),
            (true, true) => None,
            (false, _) => Some((Action::Remove, removal_reason(input))),
        };
    }
    if let (Some(problem), Some(_), true) = (problem, &change, wanted) {
        findings.push(no_link(input.place, input.id, &problem));
        change = None;
    }
    let phase = draft.phase_of(change.as_ref(), memo);
    // Where nobody has looked, or all is as it was, a file waits as it did.
    let has_waited = recorded_attributes.as_ref().is_some_and(|recorded| recorded.waiting);
    let pending = found.map_or(has_waited, |found| found.pending);
    let writes = change.as_ref().is_some_and(|(action, _)| *action != Action::Import);
    let waiting = wanted && attributes.deferred && (writes || pending);
    if attributes.waiting != waiting {
        Arc::make_mut(&mut attributes).waiting = waiting;
    }
    if waiting {
        findings.push(not_loaded(input.place, attributes.alone));
    }
    let version = found.and_then(|found| found.netplan.as_deref());
    let change = change.map(|(action, reason)| {
        let told = files.told(&attributes, version, &input.id.name);
        FileChange { action, reason, path: Arc::clone(&told.path), definition: Arc::clone(&told.definition) }
    });
    // Nodes share what is equal.
    let known = recorded.filter(|_| recorded_attributes.as_ref() == Some(&attributes));
    let shared = known.map_or_else(|| attributes.to_value().into(), |known| known.attributes.clone());
    let plan = FilePlan {
        wanted,
        change,
        is_left: false,
        phase,
        token: input.inspected.map(|inspected| inspected.token.clone()),
        is_loaded: !attributes.deferred,
        // Routes that are not loaded yet are not live, so that the table says nothing about them.
        has_table: attributes.alone && !attributes.deferred,
        attributes: shared,
    };
    Some((plan, findings))
}

/// A file whose change is being found.
struct Draft<'a> {
    input: &'a FileInput<'a>,
    attributes: &'a Attributes,
    tables: &'a [TablePlan],
}

impl Draft<'_> {
    /// The change where nobody looked, or where all is as it was recorded.
    fn by_record(&self, recorded: Option<&Attributes>, memo: &mut Memo) -> Option<(Action, Reason)> {
        let Self { input, tables, .. } = self;
        let change = |action, reason| Some((action, reason));
        match (input.wanted, input.record) {
            (None, None) => None,
            (None, Some(_)) => change(Action::Remove, removal_reason(input)),
            (Some(_), None) => change(Action::Add, Reason::NewNode),
            (Some(_), Some(Record::InDoubt { .. } | Record::Opaque(_))) => change(Action::Change, Reason::InDoubt),
            (Some(_), Some(Record::Settled { .. })) => {
                let fits = recorded.is_some_and(|recorded| recorded.same_settings(self.attributes));
                let edited = !fits || tables.iter().any(|table| !table.owns_live_rows && !table.is_settled(memo));
                if edited { change(Action::Change, Reason::Edited) } else { None }
            }
        }
    }

    /// The change where somebody looked.
    fn judge(
        &self,
        found: &NetworkConfiguration,
        routes: Option<&RouteSet>,
        memo: &mut Memo,
        findings: &mut Vec<Finding>,
    ) -> Option<(Action, Reason)> {
        let Self { input, tables, .. } = self;
        let change = |action, reason| Some((action, reason));
        let name = &*input.id.name;
        let settled = match input.record {
            Some(Record::Settled { is, .. }) => Some(is),
            _ => None,
        };
        let mut others = Vec::new();
        for file in &found.files {
            others.push(match Whose::of(&file.text, input.header, input.options.new_lineage) {
                Whose::Ours => continue,
                // What was confirmed once says more than a first line that is gone.
                Whose::Somebodys if settled.is_some() => continue,
                Whose::Somebodys if input.wanted.is_none() => return None,
                Whose::Somebodys => format!("somebody else wrote the file {}", file.path),
                Whose::OtherTopology(other) => format!("the file {} belongs to the topology {other}", file.path),
                Whose::OtherLineage(lineage) => {
                    format!(
                        "the file {} was written with another state of this topology (lineage {lineage})",
                        file.path
                    )
                }
            });
        }
        let take_over = input.options.takes_over(&input.id.kind, input.place.name(), Some(name));
        let expected = input.wanted.and(routes).map(|routes| render(input.header, name, routes, self.attributes));
        let before = settled.and_then(|is| {
            let recorded = Attributes::of(is);
            Some(render(input.header, name, is.routes.as_ref()?, &recorded))
        });
        // What a run in doubt wrote is not known: no content is like it.
        let recorded = input.record.map(|_| before.as_deref().map(contents).unwrap_or_default());
        let there: Vec<Content<'_>> =
            found.files.iter().map(|file| (file.path.as_str(), file.text.as_str(), file.mode)).collect();
        let owner = if others.is_empty() { Owner::Ours { is_current: true } } else { Owner::Others };
        let there = [Live { value: Some(sorted(there)), owner, form: Form::Plain }];
        let wanted = input.wanted.map(|_| expected.as_deref().map(contents).unwrap_or_default());
        let judged = judge::judge(&Claim {
            wanted: wanted.as_ref(),
            recorded: recorded.as_slice(),
            confirmed: input.record.is_some(),
            in_doubt: settled.is_none(),
            take_over: take_over && !others.is_empty(),
            kept_free: false,
            live: if found.files.is_empty() { Evidence::Absent } else { Evidence::Seen(&there) },
        })
        .verdict;
        if !others.is_empty() && !take_over {
            findings.extend(others.into_iter().map(|found| file_conflict(input.place, input.id, found)));
            return None;
        }
        if input.wanted.is_none() {
            // In doubt, it is not known to be gone: a run that was cut off may have left what it wrote to load the file.
            let is_gone = judged == Verdict::Gone && settled.is_some();
            // What somebody else took away is not known to be forgotten by networkd.
            if self.attributes.deferred || is_gone {
                findings.push(stays_loaded(input.place));
            }
            return if is_gone { None } else { change(Action::Remove, removal_reason(input)) };
        }
        let expected = expected.as_deref()?;
        // A file of others may be as wanted, and no file may be wanted.
        if matches!(judged, Verdict::Same | Verdict::Adopt) || there[0].value == wanted {
            if found.pending && !self.attributes.deferred {
                return change(Action::Change, Reason::NotLoaded);
            }
            // The same for a file that is as wanted.
            if input.record.is_some() && settled.is_none() {
                return change(Action::Change, Reason::InDoubt);
            }
            // A table that is judged says itself what is adopted.
            let said = settled.is_none_or(|is| Attributes::of(is).same_settings(self.attributes));
            return match input.record {
                None => change(Action::Import, Reason::Adopted(String::new())),
                // Only when it is loaded has changed in the topology.
                Some(_) if !said => change(Action::Import, Reason::Edited),
                Some(_) => None,
            };
        }
        match (judged, before) {
            (Verdict::New, _) => change(Action::Add, Reason::NewNode),
            (Verdict::Missing, _) => change(Action::Add, Reason::Missing),
            (Verdict::InDoubt, _) => change(Action::Add, Reason::InDoubt),
            (Verdict::TakenOver, _) if input.record.is_none() => {
                change(Action::Change, Reason::TakenOver(difference(expected, &found.files)))
            }
            // Only the first line says otherwise: another state.
            (Verdict::Stray, _) if there[0].value.as_deref().map(headless) == wanted.as_deref().map(headless) => {
                change(Action::Import, Reason::Adopted(String::new()))
            }
            (Verdict::Stray, _) => change(Action::Change, Reason::Stale(difference(expected, &found.files))),
            (Verdict::Edited, Some(_)) => {
                let rows = tables.iter().any(|table| !table.is_settled(memo));
                let fits = settled.is_some_and(|is| Attributes::of(is).same_settings(self.attributes));
                change(Action::Change, if rows || !fits { Reason::Edited } else { Reason::Redefined })
            }
            (_, Some(before)) => change(Action::Change, Reason::Altered(difference(&before, &found.files))),
            (_, None) => change(Action::Change, Reason::InDoubt),
        }
    }

    /// A file that only loses routes is written when removals are made, every other one before.
    fn phase_of(&self, change: Option<&(Action, Reason)>, memo: &mut Memo) -> Phase {
        let Some((action, reason)) = change else { return Phase::Persist };
        let only_removes = match reason {
            Reason::Edited => {
                let mut tables = self.tables.iter().filter_map(|table| table.only_removes(memo)).peekable();
                tables.peek().is_some() && tables.all(|only_removes| only_removes)
            }
            _ => false,
        };
        if *action == Action::Remove || only_removes { Phase::Retire } else { Phase::Persist }
    }
}

/// Path of the file, or of the drop-ins with a `*` for the name of the network file.
fn path(attributes: &Attributes, name: &str) -> String {
    match (attributes.form(), attributes.links.as_slice()) {
        (FileForm::Netplan, _) => format!("/etc/netplan/{name}"),
        (FileForm::Networkd, [only]) => format!("/etc/systemd/network/{}.d/{name}", only.id),
        (FileForm::Networkd, _) => format!("/etc/systemd/network/*.d/{name}"),
    }
}

/// What the routes are added to, in words for people: `netplan 0.106-2, ethernets.eth0`; empty if nobody has looked.
fn definition(attributes: &Attributes, version: Option<&str>) -> String {
    let version = version.filter(|_| attributes.form() == FileForm::Netplan);
    let version = version.map(|version| format!("netplan {version}"));
    let links = attributes.links.iter().map(|link| match &*link.kind {
        "" => link.id.to_string(),
        kind => format!("{kind}.{}", link.id),
    });
    version.into_iter().chain(links).collect::<Vec<_>>().join(", ")
}

fn removal_reason(input: &FileInput<'_>) -> Reason {
    if input.options.destroy { Reason::Destroy } else { Reason::NotWanted }
}

/// Path, text and permission bits of a file.
type Content<'a> = (&'a str, &'a str, u32);

fn sorted(mut contents: Vec<Content<'_>>) -> Vec<Content<'_>> {
    contents.sort_unstable();
    contents
}

/// Files as topo writes them.
fn contents(files: &[(String, String)]) -> Vec<Content<'_>> {
    sorted(files.iter().map(|(path, text)| (path.as_str(), text.as_str(), usual_mode(path))).collect())
}

/// The same without their first lines.
fn headless<'a>(contents: &[Content<'a>]) -> Vec<Content<'a>> {
    let rest = |text: &'a str| text.split_once('\n').map_or("", |(_, rest)| rest);
    contents.iter().map(|(path, text, mode)| (*path, rest(text), *mode)).collect()
}

/// A unified difference from what was found to what it is to be, a part for each file.
fn difference(expected: &[(String, String)], found: &[FoundFile]) -> String {
    let mut paths: Vec<&str> = expected.iter().map(|(path, _)| path.as_str()).collect();
    paths.extend(
        found.iter().map(|file| file.path.as_str()).filter(|path| !expected.iter().any(|(other, _)| other == path)),
    );
    let mut text = String::new();
    for path in paths {
        let wanted = expected.iter().find(|(other, _)| other == path).map_or("", |(_, text)| text.as_str());
        let there = found.iter().find(|file| file.path == path);
        let usual = usual_mode(path);
        if let Some(file) = there.filter(|file| file.mode != usual) {
            let _ = write!(text, "old mode {:04o}\nnew mode {usual:04o}\n", file.mode);
        }
        let there = there.map_or("", |file| file.text.as_str());
        if wanted != there {
            text.push_str(&unified(path, there, wanted));
        }
    }
    text
}
