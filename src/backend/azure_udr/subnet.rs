//! The association of one subnet with a route table.

use std::sync::Arc;

use serde_json::{Value, json};

use super::findings::{association_before, association_conflict, association_stays, lost_association, refusal};
use super::record::{AssociationRecord, Claimed, shape_of};
use super::table::setting;
use super::{AZURE_SUBNET_ASSOCIATION, LiveSubnet, Seen, name_of};
use crate::plan::judge::{Claim, Form, Live, Owner, Verdict, judge};
use crate::plan::{Finding, ListedChange, ListedPlan, ListedWhat, Options};
use crate::resource::words::Setting;
use crate::resource::{Action, Evidence, Name, Phase, Place, Reason, ResourceId};

/// A subnet whose association is wanted or recorded.
#[derive(Clone, Debug)]
pub struct SubnetTask {
    /// The place of its virtual network.
    pub place: Place,
    /// Its id.
    pub id: String,
    /// The backend, and the id of the table that it is to go by.
    pub(super) wanted: Option<(Name, String)>,
    pub(super) claimed: Option<Claimed<AssociationRecord>>,
    /// Whether its table is topo's own, although no record is left of that: then the association is, too.
    pub(super) is_own: bool,
    /// Whether it was there when the plan was made.
    pub(super) was_seen: bool,
    pub(super) options: Arc<Options>,
}

/// What is to be done to a subnet as it is live.
#[derive(Clone, Debug, Default)]
pub struct SubnetVerdict {
    /// What was found besides.
    pub finding: Option<Finding>,
    /// What is to be written; none: nothing.
    pub body: Option<Value>,
    /// What is planned and recorded.
    pub resources: Vec<ListedPlan>,
}

impl SubnetVerdict {
    /// The change, if there is one.
    pub fn change(&self) -> Option<&ListedChange> {
        self.resources.iter().flat_map(|resource| &resource.changes).next()
    }

    /// The ids of the tables before and after the change, if there is one.
    pub(super) fn association(&self) -> Option<&Setting> {
        match &self.change()?.what {
            ListedWhat::Settings(settings) => settings.first(),
            ListedWhat::Route { .. } => None,
        }
    }
}

impl SubnetTask {
    /// The table that it is to go by.
    pub fn table(&self) -> Option<&str> {
        self.wanted.as_ref().map(|(_, table)| table.as_str())
    }

    /// The name of the subnet.
    pub fn name(&self) -> &str {
        name_of(&self.id)
    }

    /// Whether a resource of its virtual network is its association.
    pub fn is_of(&self, id: &ResourceId) -> bool {
        self.name().eq_ignore_ascii_case(&id.name)
    }

    /// The table that the record says it has.
    pub fn believed(&self) -> Option<&str> {
        let shapes = &self.claimed.as_ref()?.shapes;
        shapes.iter().find(|(_, confirmed)| *confirmed).map(|(record, _)| record.route_table.as_str())
    }

    /// Whether the user selected it.
    pub(super) fn is_chosen(&self) -> bool {
        self.options.selection.chooses(AZURE_SUBNET_ASSOCIATION.id, self.place.name(), Some(self.name()))
    }

    /// Compares with what Azure answered; where that is not known, with what is recorded.
    pub(super) fn verdict(&self, seen: Option<&Seen>) -> SubnetVerdict {
        match Seen::subnet(seen, &self.id).known() {
            Ok(live) => self.compare(live),
            Err(_) => self.compare_table(self.believed()),
        }
    }

    /// Compares what is wanted and recorded with what is live: the subnet, none where it is not there.
    pub fn compare(&self, live: Option<&LiveSubnet>) -> SubnetVerdict {
        let Some(live) = live else {
            let mut verdict = SubnetVerdict::default();
            if self.wanted.is_some() {
                let (network, subnet) = (self.place.name(), self.name());
                let text =
                    format!("There is no subnet {network}/{subnet}, so topo cannot associate a route table with it.");
                let finding = refusal("subnet_missing", &self.place, text);
                verdict.finding = Some(finding.edit("Make the subnet first, or correct `subnets`."));
            } else {
                self.record(&mut verdict, None, None, None);
            }
            return verdict;
        };
        let mut verdict = self.compare_table(live.table.as_deref());
        // What a run of ours left behind like that may not be in force.
        let again = live.state.eq_ignore_ascii_case("Failed")
            && self.claimed.as_ref().is_some_and(|claim| claim.in_doubt)
            && self
                .table()
                .is_some_and(|table| live.table.as_ref().is_some_and(|live| live.eq_ignore_ascii_case(table)));
        if again && self.is_chosen() {
            let table = live.table.as_deref();
            let (phase, change) = self.change(Phase::Persist, Action::Change, Reason::InDoubt, table, table);
            if let Some(resource) = verdict.resources.last_mut() {
                (resource.changes, resource.phases) = (vec![change], vec![phase]);
            }
        }
        if let Some(change) = verdict.association().filter(|one| again || one.before != one.after) {
            let mut body = live.document.body.clone();
            let properties = &mut body["properties"];
            match &change.after {
                Some(table) => properties["routeTable"] = json!({ "id": table }),
                None => _ = properties.as_object_mut().and_then(|fields| fields.remove("routeTable")),
            }
            verdict.body = Some(body);
        }
        verdict
    }

    /// The same, knowing only which table it has.
    pub fn compare_table(&self, live: Option<&str>) -> SubnetVerdict {
        let mut verdict = SubnetVerdict::default();
        let is = |one: &str| live.is_some_and(|live| live.eq_ignore_ascii_case(one));
        let claimed = self.claimed.iter().flat_map(|claim| &claim.shapes).any(|(record, _)| is(&record.route_table));
        let confirmed = self.believed();
        let made = self.made(live);
        let before = self.before();
        let record = |table: &str, made: bool| AssociationRecord {
            route_table: table.to_owned(),
            made,
            before: before.map(str::to_owned),
        };
        let recorded = live.filter(|_| claimed).or(confirmed).map(|table| record(table, made));
        if !self.is_chosen() {
            self.record(&mut verdict, recorded.as_ref(), recorded.as_ref(), None);
            return verdict;
        }
        let mut planned = None;
        let mut change = |phase: Phase, action: Action, reason: Reason, after: Option<&str>| {
            planned = Some(self.change(phase, action, reason, live, after));
        };
        let mut to = self.table().map(|table| record(table, true));
        let judged = self.judge(live);
        match (judged, live, self.table()) {
            (Verdict::Same, _, Some(table)) => to = Some(record(table, made)),
            (Verdict::Adopt, _, Some(table)) => {
                to = Some(record(table, made || self.is_own));
                change(Phase::Persist, Action::Import, Reason::Adopted(String::new()), live);
            }
            (Verdict::Edited, _, table) => change(Phase::Persist, Action::Change, Reason::Edited, table),
            (Verdict::TakenOver, Some(live), table) => {
                to = to.map(|record| AssociationRecord { before: Some(live.to_owned()), ..record });
                change(Phase::Persist, Action::Change, Reason::TakenOver(live.to_owned()), table);
            }
            (Verdict::Conflict, Some(live), _) => {
                verdict.finding = Some(association_conflict(&self.place, self.name(), live));
                to = None;
            }
            (Verdict::New | Verdict::InDoubt | Verdict::Missing, _, Some(table)) => {
                let reason = match judged {
                    Verdict::New => Reason::New,
                    Verdict::InDoubt => Reason::InDoubt,
                    _ if confirmed.is_some_and(|record| record.eq_ignore_ascii_case(table)) => Reason::Missing,
                    _ => Reason::Edited,
                };
                change(Phase::Persist, Action::Add, reason, Some(table));
            }
            (Verdict::Remove, Some(table), _) if !made => {
                verdict.finding = Some(association_stays(&self.place, self.name(), table));
            }
            (Verdict::Remove, ..) => {
                let place = &self.place;
                verdict.finding = before.map(|before| association_before(place, self.name(), &self.id, before));
                let reason = if self.options.destroy { Reason::Destroy } else { Reason::NotWanted };
                change(Phase::Retire, Action::Remove, reason, None);
            }
            (Verdict::Lost, Some(live), _) => {
                verdict.finding = Some(lost_association(&self.place, self.name(), live));
            }
            _ => {}
        }
        let recorded = recorded.filter(|_| live.is_some() || confirmed.is_some());
        self.record(&mut verdict, recorded.as_ref(), to.as_ref(), planned);
        verdict
    }

    /// Judges the table that it has. Associations bear no marks.
    fn judge(&self, live: Option<&str>) -> Verdict {
        let shapes = self.claimed.as_ref().map(|claim| claim.shapes.as_slice()).unwrap_or_default();
        let confirmed = self.believed();
        let is_wanted = |record: &str| self.table().is_some_and(|table| table.eq_ignore_ascii_case(record));
        let value = |table: &str| table.to_ascii_lowercase();
        let live = live.map(|table| Live { value: Some(value(table)), owner: Owner::Unmarked, form: Form::Plain });
        let recorded: Vec<String> = shapes.iter().map(|(record, _)| value(&record.route_table)).collect();
        judge(&Claim {
            wanted: self.table().map(value).as_ref(),
            recorded: &recorded,
            confirmed: confirmed.is_some(),
            // What was confirmed as it is wanted is missing, whatever else a run set out to do.
            in_doubt: self.claimed.as_ref().is_some_and(|claim| claim.in_doubt) && !confirmed.is_some_and(is_wanted),
            take_over: self.options.takes_over(AZURE_SUBNET_ASSOCIATION.id, self.place.name(), Some(self.name())),
            kept_free: false,
            live: Evidence::Seen(live.as_slice()),
        })
        .verdict
    }

    /// The table of somebody else that it had before topo took it over.
    fn before(&self) -> Option<&str> {
        let mut shapes = self.claimed.iter().flat_map(|claim| &claim.shapes);
        shapes.find_map(|(record, _)| record.before.as_deref())
    }

    /// Whether topo associated it, or set out to.
    pub(super) fn may_have_made(&self) -> bool {
        self.claimed.iter().flat_map(|claim| &claim.shapes).any(|(record, _)| record.made)
    }

    /// Whether topo associated it with the table that it has: what was adopted is not.
    fn made(&self, live: Option<&str>) -> bool {
        let shapes = self.claimed.iter().flat_map(|claim| &claim.shapes);
        let mut of_live =
            shapes.filter(|(record, _)| live.is_none_or(|live| live.eq_ignore_ascii_case(&record.route_table)));
        of_live.next().is_some_and(|(record, _)| record.made)
    }

    fn change(
        &self,
        phase: Phase,
        action: Action,
        reason: Reason,
        before: Option<&str>,
        after: Option<&str>,
    ) -> (Phase, ListedChange) {
        let what = ListedWhat::Settings(vec![setting("route table", before, after)]);
        (phase, ListedChange { kind: &AZURE_SUBNET_ASSOCIATION, key: self.name().into(), action, reason, what })
    }

    fn record(
        &self,
        verdict: &mut SubnetVerdict,
        is: Option<&AssociationRecord>,
        to: Option<&AssociationRecord>,
        change: Option<(Phase, ListedChange)>,
    ) {
        let known = self.claimed.as_ref().map(|claim| &claim.id);
        let backend = self.wanted.as_ref().map(|(backend, _)| backend).or(known.map(|id| &id.backend));
        let Some(backend) = backend.filter(|_| known.is_some() || to.is_some()) else { return };
        let name = known.map_or_else(|| self.name().into(), |id| id.name.clone());
        let id = ResourceId { backend: backend.clone(), kind: AZURE_SUBNET_ASSOCIATION.id.into(), name };
        let (phases, changes) = change.into_iter().unzip();
        let plan = ListedPlan { id, changes, is: is.map(shape_of), to: to.map(shape_of), phases };
        verdict.resources.extend(plan.under(known));
    }
}
