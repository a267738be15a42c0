//! IP forwarding of the network interface that a next hop is at.

use std::net::IpAddr;
use std::sync::Arc;

use serde_json::Value;

use super::AZURE_NIC_FORWARDING;
use super::record::{Claimed, ForwardingRecord, shape_of};
use super::table::{on_off, setting};
use crate::exchange::arm::Document;
use crate::plan::findings::{Finding, Remedy, Text};
use crate::plan::judge::{Claim, Form, Live, Owner, Verdict, judge};
use crate::plan::{ListedChange, ListedPlan, ListedWhat, Options};
use crate::resource::{Action, Evidence, Name, Phase, Place, Reason, ResourceId, Why};

/// A network interface whose forwarding is wanted, or recorded.
#[derive(Clone, Debug)]
pub struct InterfaceTask {
    /// Its place.
    pub place: Place,
    /// Its id.
    pub id: String,
    /// The backend for which it is to forward, and the next hop.
    pub(super) wanted: Option<(Name, IpAddr)>,
    pub(super) claimed: Option<Claimed<ForwardingRecord>>,
    /// All its addresses, as far as somebody looked: what cannot be had from it is had from none of them.
    pub addresses: Vec<IpAddr>,
    /// Whether routes lead to it: with one that is selected it is selected, and while there are any it is not turned off.
    pub(super) is_needed: bool,
    pub(super) options: Arc<Options>,
}

/// What is to be done to a network interface.
#[derive(Clone, Debug, Default)]
pub struct InterfaceVerdict {
    /// What was found besides.
    pub finding: Option<Finding>,
    /// What is planned and recorded.
    pub resources: Vec<ListedPlan>,
}

impl InterfaceVerdict {
    /// The change, if there is one.
    pub fn change(&self) -> Option<&ListedChange> {
        self.resources.iter().flat_map(|resource| &resource.changes).next()
    }
}

impl InterfaceTask {
    /// Compares what is wanted and recorded with what is live: whether it forwards.
    pub fn compare(&self, forwards: &Evidence<bool>) -> InterfaceVerdict {
        let mut verdict = InterfaceVerdict::default();
        let Options { selection, revert_forwarding, destroy, .. } = &*self.options;
        let (kind, place) = (AZURE_NIC_FORWARDING.id, self.place.name());
        let chosen =
            if self.is_needed { !selection.excludes(kind, place, None) } else { selection.chooses(kind, place, None) };
        let known = self.claimed.as_ref().and_then(|claim| claim.shapes.first()).map(|(record, _)| record.clone());
        // It is there and gets another setting: a change, not an addition.
        let turn = |phase: Phase, reason: Reason, on: bool| {
            let (kind, key, action) = (&AZURE_NIC_FORWARDING, "".into(), Action::Change);
            let what = ListedWhat::Settings(vec![setting("IP forwarding", Some(on_off(!on)), Some(on_off(on)))]);
            (phase, ListedChange { kind, key, action, reason, what })
        };
        let mut change = None;
        let mut to = known.clone();
        let judged = self.judge(forwards);
        match &self.wanted {
            _ if !chosen => {}
            Some((_, address)) => {
                let address = address.to_string();
                let reason = match judged {
                    Verdict::New => Some(Reason::New),
                    Verdict::InDoubt => Some(Reason::InDoubt),
                    Verdict::Missing => Some(Reason::Altered("off".to_owned())),
                    _ => None,
                };
                change = reason.map(|reason| turn(Phase::Prepare, reason, true));
                // Where somebody else turned it on, that is not recorded.
                let is_ours = change.is_some() || known.is_some();
                to = is_ours.then_some(ForwardingRecord { address });
            }
            None => {
                to = None;
                let reason = if *destroy { Reason::Destroy } else { Reason::NotWanted };
                let reverts = *revert_forwarding && !self.is_needed;
                if reverts && *forwards == Evidence::Seen(true) {
                    change = Some(turn(Phase::Retire, reason, false));
                } else if known.is_some() && !reverts {
                    let text = Text::around(
                        "IP forwarding stays on at ",
                        ". topo turned it on, and now drops only the record of that.",
                    );
                    let finding = Finding::note("forwarding_stays", &self.place, text);
                    verdict.finding = Some(finding.remedy(Remedy::Flag("--revert-forwarding".into(), "turn it off")));
                }
            }
        }
        let own = |backend: &Name| ResourceId {
            backend: backend.clone(),
            kind: AZURE_NIC_FORWARDING.id.into(),
            name: "".into(),
        };
        let claimed = self.claimed.as_ref().map(|claim| &claim.id);
        let id = match (claimed, &self.wanted) {
            (_, Some((backend, _))) if to.is_some() => Some(own(backend)),
            (Some(claimed), _) => Some(claimed.clone()),
            _ => None,
        };
        let shapes = self.claimed.iter().flat_map(|claim| &claim.shapes);
        let confirmed = shapes.filter(|(_, confirmed)| *confirmed).map(|(record, _)| record).next();
        if let Some(id) = id {
            let (phases, changes) = change.into_iter().unzip();
            let plan = ListedPlan { id, changes, is: confirmed.map(shape_of), to: to.as_ref().map(shape_of), phases };
            verdict.resources.extend(plan.under(claimed));
        }
        verdict
    }

    /// Judges whether it forwards. That it does bears no mark: it is topo's where it is recorded.
    fn judge(&self, forwards: &Evidence<bool>) -> Verdict {
        let owner = if self.claimed.is_some() { Owner::Ours { is_current: true } } else { Owner::Others };
        let on = [Live { value: Some(()), owner, form: Form::Plain }];
        judge(&Claim {
            wanted: self.wanted.as_ref().map(|_| &()),
            recorded: if self.claimed.is_some() { &[()] } else { &[] },
            confirmed: self.claimed.is_some(),
            in_doubt: self.claimed.as_ref().is_some_and(|claim| claim.in_doubt),
            take_over: false,
            kept_free: false,
            live: match forwards {
                Evidence::Seen(true) => Evidence::Seen(&on),
                Evidence::Seen(false) => Evidence::Absent,
                // An interface that is gone forwards nothing, and nothing can be turned on there.
                Evidence::Absent => Evidence::Unknown(Why::NotAsked),
                Evidence::Unknown(why) => Evidence::Unknown(why.clone()),
            },
        })
        .verdict
    }

    /// The body that makes it forward, or not.
    pub fn body(&self, live: &Document, on: bool) -> Value {
        let mut body = live.body.clone();
        body["properties"]["enableIPForwarding"] = on.into();
        body
    }
}
