//! IP forwarding of the network interface that a next hop is at.

use std::net::IpAddr;
use std::sync::Arc;

use serde_json::Value;

use super::AZURE_NIC_FORWARDING;
use super::record::{Claimed, ForwardingRecord, shape_of};
use crate::exchange::arm::Document;
use crate::plan::Options;
use crate::plan::azure::{AzureChange, AzureRecord, AzureWhat};
use crate::plan::findings::{Finding, Remedy, Text};
use crate::plan::judge::{Claim, Form, Live, Owner, Verdict, judge};
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
    /// The change, and when it is made.
    pub change: Option<(Phase, AzureChange)>,
    /// What was found besides.
    pub finding: Option<Finding>,
    /// What is to be recorded.
    pub records: Vec<AzureRecord>,
}

impl InterfaceTask {
    /// Compares what is wanted and recorded with what is live: whether it forwards.
    pub fn compare(&self, forwards: &Evidence<bool>) -> InterfaceVerdict {
        let mut verdict = InterfaceVerdict::default();
        let matches = |patterns: &[crate::resource::AddressPattern]| {
            patterns.iter().any(|pattern| pattern.matches(AZURE_NIC_FORWARDING.id, self.place.name(), None))
        };
        let Options { targets, excludes, revert_forwarding, destroy, .. } = &*self.options;
        let chosen = (targets.is_empty() || self.is_needed || matches(targets)) && !matches(excludes);
        let known = self.claimed.as_ref().and_then(|claim| claim.shapes.first()).map(|(record, _)| record.clone());
        let change = |action: Action, reason: Reason, on: bool| AzureChange {
            kind: &AZURE_NIC_FORWARDING,
            key: "".into(),
            action,
            reason,
            what: AzureWhat::Forwarding(on),
        };
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
                // It is there and gets another setting: a change, not an addition.
                verdict.change = reason.map(|reason| (Phase::Prepare, change(Action::Change, reason, true)));
                // Where somebody else turned it on, that is not recorded.
                let is_ours = verdict.change.is_some() || known.is_some();
                to = is_ours.then_some(ForwardingRecord { address });
            }
            None => {
                to = None;
                let reason = if *destroy { Reason::Destroy } else { Reason::NotWanted };
                let reverts = *revert_forwarding && !self.is_needed;
                if reverts && *forwards == Evidence::Seen(true) {
                    verdict.change = Some((Phase::Retire, change(Action::Change, reason, false)));
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
        if let Some(old) = claimed.filter(|old| id.as_ref().is_some_and(|id| id != *old)) {
            // The backend has another name now.
            verdict.records.push(AzureRecord { id: old.clone(), is: None, to: None, touched: false });
        }
        let touched = verdict.change.is_some();
        let shapes = self.claimed.iter().flat_map(|claim| &claim.shapes);
        let confirmed = shapes.filter(|(_, confirmed)| *confirmed).map(|(record, _)| record).next();
        verdict.records.extend(id.map(|id| AzureRecord {
            id,
            is: confirmed.map(shape_of),
            to: to.as_ref().map(shape_of),
            touched,
        }));
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
