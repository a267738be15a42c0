//! Wanted × recorded × seen: what is planned in Azure, and what has to be asked for that.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::sync::Arc;

use super::interface::InterfaceVerdict;
use super::table::Wish;
use super::{
    Answer, InterfaceTask, IpForwarding, LiveInterface, Outside, Recorded, Seen, SubnetTask, TableTask, TableVerdict,
    Wanted, key, name_of,
};
use crate::network::Prefix;
use crate::plan::azure::{AzureFindings, AzurePlace, AzureTask, EffectiveCheck};
use crate::plan::{Action, Note, Options, Phase, Place, Refusal};
use crate::topology::Name;

/// How many routes a table may have where Azure does not say (Azure's documented limit).
const USUAL_LIMIT: u64 = 400;
/// How many names a sentence has at most.
const NAMED: usize = 5;
/// How many network interfaces of a subnet are asked for their effective routes, until one answers.
const WATCHED: usize = 5;

/// What has to be asked. Ids as they are to be sent.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Questions {
    /// Route tables.
    pub tables: BTreeSet<String>,
    /// Subnets.
    pub subnets: BTreeSet<String>,
    /// Virtual networks.
    pub networks: BTreeSet<String>,
    /// Subscriptions and locations, for how many routes a table may have.
    pub limits: BTreeSet<(String, String)>,
    /// Virtual networks whose network interfaces are looked for.
    pub interfaces: BTreeSet<String>,
    /// Single network interfaces.
    pub forwardings: BTreeSet<String>,
}

impl Questions {
    /// Whether nothing has to be asked.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// How many questions there are.
    pub fn len(&self) -> usize {
        let Self { tables, subnets, networks, limits, interfaces, forwardings } = self;
        tables.len() + subnets.len() + networks.len() + limits.len() + interfaces.len() + forwardings.len()
    }
}

/// What has to be asked next, given what was answered so far: tables and subnets first, and only where they are not as wanted
/// more.
pub fn questions(wanted: &[Wanted], recorded: &Recorded, options: &Options, seen: &Seen) -> Questions {
    let mut questions = Questions::default();
    let tables = wanted.iter().map(|wanted| wanted.settings.table_id());
    let recorded_tables = recorded.tables.keys().filter_map(arm).map(str::to_owned);
    questions.tables = distinct(tables.chain(recorded_tables), |id| seen.tables.contains_key(id));
    let subnets = wanted.iter().flat_map(subnets_of).map(|(_, id)| id);
    let recorded_subnets = recorded
        .associations
        .iter()
        .flat_map(|(place, claims)| claims.iter().filter_map(|claim| Some(subnet_id(arm(place)?, &claim.id.name))));
    questions.subnets = distinct(subnets.chain(recorded_subnets), |id| seen.subnets.contains_key(id));
    if options.revert_forwarding {
        let ids = recorded.forwardings.keys().filter_map(arm).map(str::to_owned);
        questions.forwardings = distinct(ids, |id| seen.forwardings.contains_key(id));
    }
    if !questions.is_empty() {
        return questions;
    }
    let drafts = Drafts::new(wanted, recorded, options, Some(seen));
    for (draft, wanted) in drafts.tables.iter().filter_map(|draft| Some((draft, draft.wanted?))) {
        let networks = wanted.networks();
        let grows = |action: Action| matches!(action, Action::Add | Action::Change | Action::Import);
        let verdict = draft.verdict(Some(seen));
        let associates = drafts.subnets.iter().any(|(task, _)| {
            let own = task.table().is_some_and(|table| table.eq_ignore_ascii_case(&draft.task.id));
            let change = task.compare(live(&seen.subnets, &task.id)).change;
            own && change.is_some_and(|(_, change)| grows(change.action))
        });
        if !associates && !verdict.changes.iter().any(|change| grows(change.action)) {
            continue;
        }
        let missing = distinct(networks.iter().cloned(), |id| seen.networks.contains_key(id));
        let limit = (wanted.settings.subscription.clone(), wanted.settings.location.clone());
        if !seen.limits.contains_key(&limit) && verdict.body.is_some() {
            questions.limits.insert(limit);
        }
        if missing.is_empty() {
            questions.interfaces.extend(distinct(networks.into_iter(), |id| seen.interfaces.contains_key(id)));
        }
        questions.networks.extend(missing);
    }
    questions
}

/// Ids that are not known yet, each once whatever its case.
fn distinct(ids: impl Iterator<Item = String>, known: impl Fn(&str) -> bool) -> BTreeSet<String> {
    let ids: BTreeMap<String, String> = ids.map(|id| (key(&id), id)).filter(|(key, _)| !known(key)).collect();
    ids.into_values().collect()
}

/// Makes the plan. Without `seen` nobody has looked, and the record is taken for what is live.
pub fn compare(wanted: &[Wanted], recorded: &Recorded, seen: Option<&Seen>, options: &Options) -> AzureFindings {
    let drafts = Drafts::new(wanted, recorded, options, seen);
    let mut findings = AzureFindings::default();
    for (place, text) in drafts.refusals.iter().filter(|_| seen.is_some()) {
        findings.refusals.push(Refusal::Azure(place.clone(), text.clone()));
    }
    findings.notes.extend(drafts.notes.iter().cloned());
    for draft in &drafts.tables {
        let mut verdict = draft.verdict(seen);
        let unseen = draft.unseen(seen);
        findings.note_unseen(&draft.task.place, seen, &unseen);
        if let Some((wanted, seen)) = draft.wanted.zip(seen) {
            check_table(draft, wanted, &verdict, seen, &mut findings);
        }
        findings.take(&mut verdict.conflicts, &mut verdict.refusals, &mut verdict.notes);
        let only_removes = verdict.changes.iter().all(|change| change.action == Action::Remove);
        let phase = if only_removes { Phase::Retire } else { Phase::Install };
        let tasks = match verdict.changes.is_empty() {
            true => Vec::new(),
            false => vec![(phase, AzureTask::Table(Box::new(draft.task.clone())))],
        };
        let place = AzurePlace { changes: verdict.changes, records: verdict.records, tasks };
        findings.places.push((draft.task.place.clone(), place, unseen));
    }
    drafts.compare_subnets(seen, &mut findings);
    drafts.compare_interfaces(wanted, recorded, seen, options, &mut findings);
    if let Some(seen) = seen {
        drafts.watch(seen, &mut findings);
    }
    findings
}

impl AzureFindings {
    fn note_unseen(&mut self, place: &Place, seen: Option<&Seen>, unseen: &Option<String>) {
        match (seen, unseen) {
            (Some(_), Some(reason)) => self.notes.push(Note::Unseen(place.clone(), reason.clone())),
            (Some(_), None) => self.answered += 1,
            (None, _) => {}
        }
    }

    fn take(&mut self, conflicts: &mut Vec<crate::plan::Conflict>, refusals: &mut Vec<Refusal>, notes: &mut Vec<Note>) {
        self.conflicts.append(conflicts);
        self.refusals.append(refusals);
        self.notes.append(notes);
    }
}

/// A table with what it is compared with.
struct TableDraft<'a> {
    task: TableTask,
    wanted: Option<&'a Wanted>,
    /// Next hops inside.
    next_hops: BTreeSet<IpAddr>,
}

/// All that is compared.
struct Drafts<'a> {
    tables: Vec<TableDraft<'a>>,
    subnets: Vec<(SubnetTask, Option<&'a Wanted>)>,
    refusals: Vec<(Place, String)>,
    notes: Vec<Note>,
}

impl<'a> Drafts<'a> {
    fn new(wanted: &'a [Wanted], recorded: &Recorded, options: &Options, seen: Option<&Seen>) -> Self {
        let options = Arc::new(options.clone());
        let mut drafts = Self { tables: Vec::new(), subnets: Vec::new(), refusals: Vec::new(), notes: Vec::new() };
        drafts.add_subnets(wanted, recorded, &options);
        // A subnet whose association goes, or goes elsewhere, does not keep its table.
        let leaving = |table: &str| -> BTreeSet<String> {
            let leaves = |task: &&(SubnetTask, Option<&Wanted>)| {
                task.0.claimed.is_some() && task.0.table().is_none_or(|other| !other.eq_ignore_ascii_case(table))
            };
            drafts.subnets.iter().filter(leaves).map(|(task, _)| key(&task.id)).collect()
        };
        let mut tables = Vec::new();
        let (mut refusals, mut notes) = (Vec::new(), Vec::new());
        for wanted in wanted {
            let id = wanted.settings.table_id();
            let place = place_of(&id, recorded.tables.keys());
            let claims = recorded.tables.get(&place).cloned().unwrap_or_default();
            let space = match space_of(wanted, seen) {
                Ok(space) => space.or_else(|| claims.space.clone()),
                Err(text) => {
                    refusals.push((place.clone(), text));
                    claims.space.clone()
                }
            };
            let routes = wanted.routes(space.as_deref().filter(|space| !space.is_empty()));
            tell_outside(wanted, &place, &routes.outside, space.as_deref(), &mut refusals, &mut notes);
            let next_hops = routes.routes.values().filter_map(|(route, _)| route.hop.address).collect();
            let wish = Wish {
                backend: wanted.backend.clone(),
                settings: wanted.settings.clone(),
                routes: routes.routes,
                space,
            };
            let task = TableTask {
                leaving: leaving(&id),
                place,
                id,
                wish: Some(wish),
                claims,
                options: Arc::clone(&options),
                left_out: BTreeMap::new(),
            };
            tables.push(TableDraft { task, wanted: Some(wanted), next_hops });
        }
        for (place, claims) in &recorded.tables {
            let Some(id) = arm(place).filter(|_| !tables.iter().any(|draft| draft.task.place == *place)) else {
                continue;
            };
            let task = TableTask {
                place: place.clone(),
                id: id.to_owned(),
                wish: None,
                claims: claims.clone(),
                options: Arc::clone(&options),
                leaving: leaving(id),
                left_out: BTreeMap::new(),
            };
            tables.push(TableDraft { task, wanted: None, next_hops: BTreeSet::new() });
        }
        drafts.tables = tables;
        drafts.refusals = refusals;
        drafts.notes = notes;
        drafts
    }

    fn add_subnets(&mut self, wanted: &'a [Wanted], recorded: &Recorded, options: &Arc<Options>) {
        let claims =
            || recorded.associations.iter().flat_map(|(place, claims)| claims.iter().map(move |claim| (place, claim)));
        for (wanted, id) in wanted.iter().flat_map(|wanted| subnets_of(wanted).map(move |(_, id)| (wanted, id))) {
            let claimed = claims().find(|(place, claim)| {
                arm(place).is_some_and(|network| subnet_id(network, &claim.id.name).eq_ignore_ascii_case(&id))
            });
            let network = id.rsplit_once("/subnets/").map_or(id.as_str(), |(network, _)| network);
            let place = place_of(network, recorded.associations.keys());
            let task = SubnetTask {
                place,
                wanted: Some((wanted.backend.clone(), wanted.settings.table_id())),
                claimed: claimed.map(|(_, claim)| claim.clone()),
                options: Arc::clone(options),
                id,
            };
            self.subnets.push((task, Some(wanted)));
        }
        for (place, claim) in claims() {
            let Some(id) = arm(place).map(|network| subnet_id(network, &claim.id.name)) else { continue };
            if self.subnets.iter().any(|(task, _)| task.id.eq_ignore_ascii_case(&id)) {
                continue;
            }
            let (claimed, options) = (Some(claim.clone()), Arc::clone(options));
            self.subnets.push((SubnetTask { place: place.clone(), id, wanted: None, claimed, options }, None));
        }
    }

    fn compare_subnets(&self, seen: Option<&Seen>, findings: &mut AzureFindings) {
        let mut places: BTreeMap<&Place, (AzurePlace, Option<String>)> = BTreeMap::new();
        for (task, _) in &self.subnets {
            let answer = seen.and_then(|seen| seen.subnets.get(&key(&task.id)));
            let (verdict, unseen) = match answer {
                Some(Ok(live)) => (task.compare(live.as_ref()), None),
                Some(Err(reason)) => (task.compare_table(task.believed()), Some(reason.clone())),
                None => (task.compare_table(task.believed()), Some("nobody looked".to_owned())),
            };
            findings.note_unseen(&task.place, seen, &unseen);
            findings.conflicts.extend(verdict.conflict);
            findings.refusals.extend(verdict.refusal);
            findings.notes.extend(verdict.note);
            let (place, nobody) = places.entry(&task.place).or_insert_with(|| (AzurePlace::default(), None));
            *nobody = nobody.take().or(unseen);
            place.records.extend(verdict.records);
            if let Some((phase, change)) = verdict.change {
                place.changes.push(change);
                match place.tasks.iter_mut().find(|(at, _)| *at == phase) {
                    Some((_, AzureTask::Subnets(tasks))) => tasks.push(task.clone()),
                    _ => place.tasks.push((phase, AzureTask::Subnets(vec![task.clone()]))),
                }
            }
        }
        findings.places.extend(places.into_iter().map(|(place, (planned, unseen))| (place.clone(), planned, unseen)));
    }

    /// Whether next hops forward; turns it on where that is asked for.
    fn compare_interfaces(
        &self,
        wanted: &[Wanted],
        recorded: &Recorded,
        seen: Option<&Seen>,
        options: &Options,
        findings: &mut AzureFindings,
    ) {
        let options = Arc::new(options.clone());
        let mut kept: BTreeSet<&Place> = BTreeSet::new();
        for draft in &self.tables {
            let Some(backend) = draft.wanted else { continue };
            let enables = backend.settings.ip_forwarding == IpForwarding::Enable;
            if enables {
                let known = recorded.forwardings.iter().filter(|(_, claim)| {
                    let addresses = claim.shapes.iter().filter_map(|(record, _)| record.address.parse().ok());
                    addresses.into_iter().any(|address: IpAddr| draft.next_hops.contains(&address))
                });
                kept.extend(known.map(|(place, _)| place));
            }
            let Some(interfaces) = seen.and_then(|seen| interfaces_of(backend, seen)) else { continue };
            let interfaces = match interfaces {
                Ok(interfaces) => interfaces,
                Err(reason) if enables => {
                    let text = format!(
                        "Which next hops forward cannot be seen, so `ip_forwarding = \"enable\"` cannot be carried out: {reason}"
                    );
                    findings.refusals.push(Refusal::Azure(draft.task.place.clone(), text));
                    continue;
                }
                Err(reason) => {
                    let text = format!(
                        "holds routes to next hops whose IP forwarding cannot be verified: {reason} Azure drops what is \
                         forwarded to a network interface without it."
                    );
                    findings.notes.push(Note::Azure(draft.task.place.clone(), "unverified", text));
                    continue;
                }
            };
            let mut unknown = Vec::new();
            for address in &draft.next_hops {
                let Some(found) = interfaces.iter().find(|one| one.addresses.contains(address)) else {
                    unknown.push(address.to_string());
                    continue;
                };
                if found.forwards {
                    continue;
                }
                if !enables || found.scale_set.is_some() {
                    let text = refuse_forwarding(*address, found, enables);
                    findings.refusals.push(Refusal::Azure(draft.task.place.clone(), text));
                    continue;
                }
                let place = place_of(&found.id, recorded.forwardings.keys());
                let task = InterfaceTask {
                    claimed: recorded.forwardings.get(&place).cloned(),
                    id: found.id.clone(),
                    wanted: Some((backend.backend.clone(), *address)),
                    options: Arc::clone(&options),
                    place,
                };
                let verdict = task.compare(Some(false));
                findings.take_interface(task, verdict, None);
            }
            if !unknown.is_empty() {
                let text = format!(
                    "holds routes to next hops whose IP forwarding cannot be verified, for no network interface with their address was \
                     found in the virtual network: {}.",
                    some_of(&unknown)
                );
                findings.notes.push(Note::Azure(draft.task.place.clone(), "unverified", text));
            }
        }
        let all = wanted.iter().any(|backend| backend.settings.ip_forwarding == IpForwarding::Enable);
        for (place, claim) in &recorded.forwardings {
            let known = findings.places.iter().any(|(other, ..)| other == place);
            if known || (all && kept.contains(place)) {
                continue;
            }
            let Some(id) = arm(place) else { continue };
            let answer = seen.and_then(|seen| seen.forwardings.get(&key(id)));
            let (forwards, unseen) = match answer {
                Some(Ok(live)) => (live.as_ref().map(|live| live.forwards), None),
                Some(Err(reason)) => (None, Some(reason.clone())),
                None => (None, None),
            };
            findings.note_unseen(place, seen.filter(|_| answer.is_some()), &unseen);
            let task = InterfaceTask {
                place: place.clone(),
                id: id.to_owned(),
                wanted: None,
                claimed: Some(claim.clone()),
                options: Arc::clone(&options),
            };
            let verdict = task.compare(forwards);
            findings.take_interface(task, verdict, unseen);
        }
    }

    /// Which network interfaces show, after the run, that its routes are in force.
    fn watch(&self, seen: &Seen, findings: &mut AzureFindings) {
        for draft in &self.tables {
            let (Some(wanted), Some(wish)) = (draft.wanted, &draft.task.wish) else { continue };
            let Some(Ok(interfaces)) = interfaces_of(wanted, seen) else { continue };
            for (_, subnet) in subnets_of(wanted) {
                let is_in = |one: &LiveInterface| one.subnets.iter().any(|other| other.eq_ignore_ascii_case(&subnet));
                let mut there = interfaces.clone();
                there.retain(|one| is_in(one) && one.attached && one.scale_set.is_none());
                let more = there.len().saturating_sub(WATCHED);
                findings.checks.push(EffectiveCheck {
                    table: draft.task.place.clone(),
                    subnet: subnet.clone(),
                    interfaces: there.iter().take(WATCHED).map(|one| one.id.clone()).collect(),
                    more,
                    routes: wish.routes.iter().map(|(key, (route, _))| (*key, route.hop.clone())).collect(),
                });
            }
        }
    }
}

impl AzureFindings {
    fn take_interface(&mut self, task: InterfaceTask, verdict: InterfaceVerdict, unseen: Option<String>) {
        self.notes.extend(verdict.note);
        let place = task.place.clone();
        if self.places.iter().any(|(other, ..)| *other == place) {
            return;
        }
        let mut planned = AzurePlace { records: verdict.records, ..AzurePlace::default() };
        if let Some((phase, change)) = verdict.change {
            planned.changes.push(change);
            planned.tasks.push((phase, AzureTask::Interface(task)));
        }
        self.places.push((place, planned, unseen));
    }
}

impl TableDraft<'_> {
    fn verdict(&self, seen: Option<&Seen>) -> TableVerdict {
        match seen.and_then(|seen| seen.tables.get(&key(&self.task.id))) {
            Some(Ok(live)) => self.task.compare(live.as_ref()),
            Some(Err(_)) | None => self.task.compare(self.task.believed().as_ref()),
        }
    }

    fn unseen(&self, seen: Option<&Seen>) -> Option<String> {
        match seen.and_then(|seen| seen.tables.get(&key(&self.task.id))) {
            Some(Ok(_)) => None,
            Some(Err(reason)) => Some(reason.clone()),
            None => Some("nobody looked".to_owned()),
        }
    }
}

/// What is to be so before anything is written to a table.
fn check_table(
    draft: &TableDraft<'_>,
    wanted: &Wanted,
    verdict: &TableVerdict,
    seen: &Seen,
    findings: &mut AzureFindings,
) {
    let place = &draft.task.place;
    let settings = &wanted.settings;
    if verdict.body.is_some() {
        let limit = seen.limits.get(&(settings.subscription.clone(), settings.location.clone())).copied();
        let (limit, source) = match limit.flatten() {
            Some(limit) => (limit, "Azure's limit for this subscription and region"),
            None => (USUAL_LIMIT, "Azure's usual limit; the one of this subscription could not be read"),
        };
        if u64::try_from(verdict.count).unwrap_or(u64::MAX) > limit {
            let text = format!(
                "The route table {} would have {} routes, and {limit} is the most ({source}). Divide the nodes between several \
                 tables, or ask Azure for more.",
                settings.route_table, verdict.count
            );
            findings.refusals.push(Refusal::Azure(place.clone(), text));
        }
    }
    for id in wanted.networks() {
        if let Some(network) = live(&seen.networks, &id)
            && settings.manage_table
            && network.location != settings.location
        {
            let text = format!(
                "The virtual network {} is in {}, and its route table {} would be in {}: they must be in one region. Correct \
                 `location`.",
                name_of(&id),
                network.location,
                settings.route_table,
                settings.location
            );
            findings.refusals.push(Refusal::Azure(place.clone(), text));
        }
    }
}

/// Says what is to be done about a network interface that does not forward.
fn refuse_forwarding(address: IpAddr, found: &LiveInterface, enables: bool) -> String {
    let name = name_of(&found.id);
    let mend = match &found.scale_set {
        Some(set) => format!(
            "It is of the scale set {}, which topo does not change: run `az vmss update --ids {set} --set \
             virtualMachineProfile.networkProfile.networkInterfaceConfigurations[0].enableIPForwarding=true`, then `az vmss \
             update-instances --ids {set} --instance-ids '*'`.",
            name_of(set)
        ),
        None => {
            debug_assert!(!enables, "it would have been turned on");
            format!(
                "Run `az network nic update --ids {} --ip-forwarding true`, or say `ip_forwarding = \"enable\"` in the backend.",
                found.id
            )
        }
    };
    format!(
        "The next hop {address} is at the network interface {name}, whose IP forwarding is off: Azure would drop what is sent to pods \
         there. {mend}"
    )
}

/// The address space of the virtual networks that a backend's subnets are in; none where nobody has asked for it.
fn space_of(wanted: &Wanted, seen: Option<&Seen>) -> Result<Option<Vec<Prefix>>, String> {
    let Some(seen) = seen else { return Ok(None) };
    let mut space: Vec<Prefix> = Vec::new();
    let networks = wanted.networks();
    if networks.is_empty() {
        return Ok(None);
    }
    for id in networks {
        match seen.networks.get(&key(&id)) {
            None => return Ok(None),
            Some(Ok(Some(network))) => space.extend(&network.space),
            Some(Ok(None)) => {
                return Err(format!(
                    "The virtual network {} is not there. Make it first, or correct `subnets`.",
                    name_of(&id)
                ));
            }
            Some(Err(reason)) => {
                return Err(format!("What is inside the virtual network {} is not known: {reason}", name_of(&id)));
            }
        }
    }
    space.sort_unstable();
    space.dedup();
    Ok(Some(space))
}

/// Says which nodes are outside.
fn tell_outside(
    wanted: &Wanted,
    place: &Place,
    outside: &BTreeMap<Name, IpAddr>,
    space: Option<&[Prefix]>,
    refusals: &mut Vec<(Place, String)>,
    notes: &mut Vec<Note>,
) {
    if outside.is_empty() {
        return;
    }
    let nodes: Vec<String> = outside.iter().map(|(name, address)| format!("{name} ({address})")).collect();
    let space: Vec<String> = space.unwrap_or_default().iter().map(ToString::to_string).collect();
    let (nodes, space) = (some_of(&nodes), some_of(&space));
    match wanted.settings.outside {
        None => refusals.push((
            place.clone(),
            format!(
                "Outside of the virtual network ({space}) of the backend `{}`: {nodes}. A route table can lead to machines inside \
                 alone. Say `outside = \"skip\"` for no routes to their pods, or `outside = \"virtual-network-gateway\"` for routes by \
                 the network's gateway; or leave them out with `nodes`.",
                wanted.backend
            ),
        )),
        Some(Outside::Skip) => notes.push(Note::Azure(
            place.clone(),
            "outside",
            format!("holds no routes to the pods of nodes outside of the virtual network ({space}): {nodes}."),
        )),
        Some(Outside::VirtualNetworkGateway) => {}
    }
}

fn some_of(list: &[String]) -> String {
    let more = list.len().saturating_sub(NAMED);
    let shown = list.iter().take(NAMED).cloned().collect::<Vec<_>>().join(", ");
    if more > 0 { format!("{shown} and {more} more") } else { shown }
}

/// All interfaces of a backend's virtual networks; none where nobody has asked for them.
fn interfaces_of<'s>(wanted: &Wanted, seen: &'s Seen) -> Option<Result<Vec<&'s LiveInterface>, &'s str>> {
    let mut all = Vec::new();
    let networks = wanted.networks();
    if networks.is_empty() {
        return None;
    }
    for id in networks {
        match seen.interfaces.get(&key(&id))? {
            Ok(found) => all.extend(found.iter().flatten().filter(|one| one.is_in(&id))),
            Err(reason) => return Some(Err(reason)),
        }
    }
    Some(Ok(all))
}

/// What was answered, where it is there.
fn live<'s, T>(answers: &'s BTreeMap<String, Answer<T>>, id: &str) -> Option<&'s T> {
    answers.get(&key(id))?.as_ref().ok()?.as_ref()
}

fn subnets_of(wanted: &Wanted) -> impl Iterator<Item = (&super::SubnetName, String)> {
    let settings = &wanted.settings;
    settings.subnets.iter().map(|subnet| (subnet, subnet_id(&settings.network_id(subnet), &subnet.subnet)))
}

fn subnet_id(network: &str, subnet: &str) -> String {
    format!("{network}/subnets/{subnet}")
}

/// The id of a place in Azure.
fn arm(place: &Place) -> Option<&str> {
    match place {
        Place::Arm(id) => Some(id),
        Place::Node(_) => None,
    }
}

/// The place of an id: the one on record where it is the same but for case.
fn place_of<'p>(id: &str, mut known: impl Iterator<Item = &'p Place>) -> Place {
    let same = |place: &&Place| arm(place).is_some_and(|other| other.eq_ignore_ascii_case(id));
    known.find(same).cloned().unwrap_or_else(|| Place::Arm(id.into()))
}
