//! Whether next hops forward what is sent to pods behind them.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::sync::Arc;

use super::drafts::{AllInputs, TableInputs, arm, place_of};
use super::findings::{refusal, some_of, table_text};
use super::interface::InterfaceVerdict;
use super::work::Findings;
use super::{
    AzureTask, Claimed, ForwardingRecord, InterfaceTask, IpForwarding, LiveInterface, Recorded, Seen, Wanted, key,
    live, name_of,
};
use crate::network::NextHop;
use crate::plan::{Finding, ListedWhat, Options};
use crate::resource::{Evidence, Name, Place, Why};

impl AllInputs<'_> {
    /// Whether next hops forward; turns it on where that is asked for.
    pub(super) fn compare_interfaces(
        &self,
        recorded: &Recorded,
        seen: Option<&Seen>,
        options: &Options,
        findings: &mut Findings,
    ) {
        let options = Arc::new(options.clone());
        let mut kept: BTreeMap<&Place, (&Name, IpAddr)> = BTreeMap::new();
        for draft in &self.tables {
            let Some(backend) = draft.wanted else { continue };
            let enables = backend.settings.ip_forwarding == IpForwarding::Enable;
            if enables {
                let known = recorded.forwardings.iter().filter_map(|(place, claim)| {
                    let mut addresses = addresses_of(place, claim, seen).into_iter();
                    let address = addresses.find(|address: &IpAddr| draft.next_hops.contains(address))?;
                    Some((place, (&backend.backend, address)))
                });
                for (place, wanted) in known {
                    kept.entry(place).or_insert(wanted);
                }
            }
            let Some(interfaces) = seen.and_then(|seen| interfaces_of(backend, seen)) else { continue };
            let (interfaces, unread) = interfaces;
            let (mut unknown, mut off) = (Vec::new(), Vec::new());
            for address in &draft.judged(seen, &options) {
                let Some(found) = interfaces.iter().find(|one| one.addresses.contains(address)) else {
                    unknown.push(backend.node_at(*address));
                    continue;
                };
                if found.forwards {
                    continue;
                }
                if !enables || found.scale_set.is_some() {
                    off.push((*address, *found));
                    continue;
                }
                let place = place_of(&found.id, recorded.forwardings.keys());
                let task = InterfaceTask {
                    claimed: recorded.forwardings.get(&place).cloned(),
                    id: found.id.clone(),
                    wanted: Some((backend.backend.clone(), *address)),
                    is_needed: true,
                    addresses: found.addresses.clone(),
                    options: Arc::clone(&options),
                    place,
                };
                let verdict = task.compare(&Evidence::Seen(false));
                if verdict.change().is_none() {
                    let interface = name_of(&found.id);
                    let text = format!(
                        "IP forwarding is off at the network interface {interface} of {}, and turning it on is not selected.",
                        backend.node_at(*address)
                    );
                    let finding = refusal("forwarding_not_selected", &draft.task.place, text);
                    findings.add([finding.act(format!("Select azure_nic_forwarding.{interface}, too."))]);
                    continue;
                }
                findings.take_interface(task, verdict, None);
            }
            findings.add(refuse_forwarding(backend, &draft.task.place, &off));
            findings.tell_unknown(draft, &unknown, &unread, enables);
        }
        let leads_to = |address: &IpAddr| self.tables.iter().any(|draft| draft.next_hops.contains(address));
        for (place, claim) in &recorded.forwardings {
            let known = findings.listed.places.contains_key(place);
            let wanted = kept.get(place).map(|(backend, address)| (Name::clone(backend), *address));
            let is_same = |(backend, address): &(Name, IpAddr)| {
                let recorded = claim.shapes.iter().any(|(record, _)| record.address.parse() == Ok(*address));
                *backend == claim.id.backend && recorded
            };
            if known || (!claim.in_doubt && wanted.as_ref().is_some_and(is_same)) {
                continue;
            }
            let Some(id) = arm(place) else { continue };
            let answer = seen.map_or(Evidence::Unknown(Why::NotAsked), |seen| live::look(&seen.forwardings, id));
            // Where nobody asked, only the record is dropped, and that needs no look.
            let (was_asked, unseen) = match &answer {
                Evidence::Seen(_) | Evidence::Absent => (true, None),
                Evidence::Unknown(Why::Failed(reason)) => (true, Some(reason.clone())),
                Evidence::Unknown(Why::NotAsked) => (false, None),
            };
            if seen.is_some() && was_asked {
                findings.note_answer(place, unseen.as_deref());
            }
            let task = InterfaceTask {
                place: place.clone(),
                id: id.to_owned(),
                wanted,
                is_needed: addresses_of(place, claim, seen).iter().any(leads_to),
                addresses: addresses_of(place, claim, seen),
                claimed: Some(claim.clone()),
                options: Arc::clone(&options),
            };
            let verdict = task.compare(&answer.map(|live| live.forwards));
            findings.take_interface(task, verdict, unseen);
        }
    }
}

impl Findings {
    /// Says which next hops were not found among the network interfaces, and what could not be read of those.
    fn tell_unknown(&mut self, draft: &TableInputs<'_>, unknown: &[String], unread: &[&str], enables: bool) {
        let place = &draft.task.place;
        let unknown = match unknown {
            [] => return,
            some => some_of(some),
        };
        if enables && !unread.is_empty() {
            let text = format!(
                "topo cannot see whether the network interfaces of {unknown} forward, so it cannot carry out `ip_forwarding = \
                 \"enable\"`: {}",
                unread.join(" ")
            );
            self.add([refusal("forwarding_unknown", place, text)]);
            return;
        }
        let why = if unread.is_empty() {
            "no network interface in the virtual network has such an address.".to_owned()
        } else {
            unread.join(" ")
        };
        let text = format!(
            "holds routes to next hops whose IP forwarding topo cannot verify, {unknown}: {why} Azure drops packets that are to be \
             forwarded by a network interface without it."
        );
        self.add([Finding::warning("unverified", place, table_text(place, &text))]);
    }

    fn take_interface(&mut self, task: InterfaceTask, verdict: InterfaceVerdict, unseen: Option<String>) {
        self.add(verdict.finding);
        let place = task.place.clone();
        if !self.listed.places.contains_key(&place) {
            self.plan(&place, verdict.resources, unseen, AzureTask::Interface(task));
        }
    }
}

impl TableInputs<'_> {
    /// The next hops that have to forward: of all routes, or of those that are selected.
    fn judged(&self, seen: Option<&Seen>, options: &Options) -> BTreeSet<IpAddr> {
        if options.selection.is_all() {
            return self.next_hops.clone();
        }
        let verdict = self.verdict(seen);
        let after = verdict.changes().filter_map(|change| match change.what {
            ListedWhat::Route { after: Some(NextHop::Address(address)), .. } => Some(address),
            _ => None,
        });
        after.filter(|address| self.next_hops.contains(address)).collect()
    }
}

/// Says what is to be done about network interfaces that do not forward: those of machines in one sentence, those of each scale set
/// in another.
fn refuse_forwarding(backend: &Wanted, place: &Place, off: &[(IpAddr, &LiveInterface)]) -> Vec<Finding> {
    let mut kinds: BTreeMap<Option<&str>, Vec<&(IpAddr, &LiveInterface)>> = BTreeMap::new();
    for one in off {
        kinds.entry(one.1.scale_set.as_deref()).or_default().push(one);
    }
    let finding = |(set, off): (Option<&str>, Vec<&(IpAddr, &LiveInterface)>)| {
        let nodes: Vec<String> = off.iter().map(|(address, _)| backend.node_at(*address)).collect();
        let ids: Vec<&str> = off.iter().map(|(_, found)| found.id.as_str()).collect();
        let text = format!(
            "IP forwarding is off at the network interfaces of these next hops: {}. Azure would drop packets to the pods there.",
            some_of(&nodes)
        );
        let finding = refusal("forwarding_off", place, text);
        match set {
            Some(set) => finding.act(format!(
                "They belong to the scale set {}, which topo does not change: run `az vmss update --ids {set} --set \
                 virtualMachineProfile.networkProfile.networkInterfaceConfigurations[0].enableIPForwarding=true`, then `az vmss \
                 update-instances --ids {set} --instance-ids '*'`.",
                name_of(set)
            )),
            None => finding.edit("Set `ip_forwarding = \"enable\"` in the backend.").act(format!(
                "Or run `az network nic update --ip-forwarding true --ids {}`.",
                ids.join(" ")
            )),
        }
    };
    kinds.into_iter().map(finding).collect()
}

/// The addresses of a network interface: the one that is recorded first, then those that were seen.
fn addresses_of(place: &Place, claim: &Claimed<ForwardingRecord>, seen: Option<&Seen>) -> Vec<IpAddr> {
    let mut addresses: Vec<IpAddr> =
        claim.shapes.iter().filter_map(|(record, _)| record.address.parse().ok()).collect();
    let (Some(id), Some(seen)) = (arm(place), seen) else { return addresses };
    let alone = match live::look(&seen.forwardings, id) {
        Evidence::Seen(alone) => Some(alone),
        Evidence::Absent | Evidence::Unknown(_) => None,
    };
    let listed = seen.interfaces.values().flat_map(|interfaces| &interfaces.found);
    let mut found = alone.into_iter().chain(listed.filter(|one| one.id.eq_ignore_ascii_case(id))).peekable();
    if found.peek().is_some() {
        // What is live counts more than what was once.
        let live: Vec<IpAddr> = found.flat_map(|one| one.addresses.iter().copied()).collect();
        addresses.retain(|address| live.contains(address));
        addresses.extend(live);
    }
    addresses
}

/// All interfaces of a backend's virtual networks, and why others could not be read; none where nobody has asked for them.
pub(super) fn interfaces_of<'s>(wanted: &Wanted, seen: &'s Seen) -> Option<(Vec<&'s LiveInterface>, Vec<&'s str>)> {
    let (mut all, mut unread) = (Vec::new(), Vec::new());
    let networks = wanted.networks();
    if networks.is_empty() {
        return None;
    }
    for id in networks {
        let interfaces = seen.interfaces.get(&key(&id))?;
        all.extend(interfaces.found.iter().filter(|one| one.is_in(&id)));
        unread.extend(interfaces.unread.iter().map(String::as_str));
    }
    Some((all, unread))
}
