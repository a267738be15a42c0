//! From the folder of a case to its plan, as `topo plan` and `topo destroy` make it. All that knows topo's own types is here.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use tokio::sync::mpsc;
use topo::backend::node::{self, Inputs};
use topo::backend::{self, Desired, azure_udr};
use topo::drive::{observe, observe_azure};
use topo::network::Memo;
use topo::plan::{Options, Plan, Summary};
use topo::render::{json, style::Look, text};
use topo::resource::{AddressPattern, Name};
use topo::state::State;
use topo::topology::{self, Source, Topology};
use topo::transport::azure::Azure;
use topo::transport::{ShellTransport, Transport};

use super::azure;
use super::case::Case;
use super::nodes::{Nodes, Way};

/// The lineage where a case has no state; with one, it is the state's.
const LINEAGE: &str = "0a1b2c3d4e5f60718293a4b5c6d7e8f9";

/// What a case gives.
pub(super) struct Planned {
    pub(super) text: String,
    /// One event a line.
    pub(super) json: String,
    pub(super) exit: u8,
}

/// What `options` of a case says.
#[derive(Default)]
struct Chosen {
    options: Options,
    no_refresh: bool,
    detailed_exit_code: bool,
}

/// Plans a case. With `records` the replies of nodes are made anew.
pub(super) fn plan(case: &Arc<Case>, records: bool) -> Planned {
    let topology = topology(case);
    let chosen = chosen(case, &topology);
    let state = state(case, &topology.name);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    runtime.block_on(async {
        let (plan, mut memo, azure) = make(case, &topology, &chosen, &state, records).await;
        let requests = azure.map(|azure| azure.requests());
        let summary = Summary::new(&plan, &mut memo);
        let mut json = String::new();
        json::plan(&plan, &summary, requests.as_slice(), &mut |event| {
            json += &serde_json::to_string(&event).expect("JSON");
            json.push('\n');
        });
        let text = text::plan(&plan, &summary, Look::default(), !chosen.options.destroy, topo::backend::words);
        Planned { text, json, exit: exit_of(&plan, chosen.detailed_exit_code) }
    })
}

async fn make(
    case: &Arc<Case>,
    topology: &Topology,
    chosen: &Chosen,
    state: &State,
    records: bool,
) -> (Plan, Memo, Option<Arc<dyn Azure>>) {
    let Chosen { options, no_refresh, .. } = chosen;
    let mut desired = backend::desire(topology);
    if options.destroy {
        desired.places.values_mut().for_each(|place| place.resources.clear());
        desired.azure.clear();
    }
    let recorded = azure_udr::Recorded::of(state);
    let in_azure = !desired.azure.is_empty() || state.places.keys().any(|place| !place.is_node());
    let azure = if in_azure && !no_refresh { Some(azure::connect(case).await) } else { None };
    let concerns_azure = in_azure && concerns_azure(&desired, state, options);
    let (mut memo, mut observed, mut seen) = (Memo::default(), BTreeMap::new(), None);
    if !no_refresh {
        let nodes = Arc::new(Nodes::new(Arc::clone(case), records));
        let transport: Arc<dyn Transport> = Arc::new(ShellTransport(Way(Arc::clone(&nodes))));
        let (events, _listener) = mpsc::channel(1);
        let left_out = left_out(&desired, state, options);
        observed = observe(&desired, state, &left_out, &transport, 1, &events, &mut memo).await;
        nodes.check_questions();
        if let Some(azure) = azure.as_ref().filter(|_| concerns_azure) {
            seen = Some(observe_azure(&desired.azure, &recorded, options, azure, 1).await);
        }
    }
    if let Some(seen) = &seen {
        desired.covered = azure_udr::covers(&desired.azure, &recorded, Some(seen), options);
    }
    let inputs = Inputs { topology: &topology.name, desired: &desired, recorded: state, options };
    let mut plan = node::plan(&inputs, &observed, &mut memo);
    if concerns_azure {
        azure_udr::plan(&desired, state, seen.as_ref(), options, &mut plan);
    }
    (plan, memo, azure)
}

fn topology(case: &Case) -> Topology {
    let text = case.text("topo.toml").expect("topo.toml");
    let (topology, diagnostics) = topology::parse(&[Source { name: "topo.toml".into(), text }], topo::backend::FORMATS);
    let errors = || diagnostics.iter().map(|one| one.message.clone()).collect::<Vec<_>>();
    topology.unwrap_or_else(|| panic!("{}: {:?}", case.folder.display(), errors()))
}

fn state(case: &Case, name: &Name) -> State {
    if let Some(text) = case.read("state.json") {
        return State::from_json(&text, &backend::KNOWN).unwrap_or_else(|error| panic!("{error}"));
    }
    State { lineage: LINEAGE.parse().expect("a lineage"), ..State::new(name.clone()).expect("random numbers") }
}

/// One option a line, as on the command line; `destroy` alone on a line is the command.
fn chosen(case: &Case, topology: &Topology) -> Chosen {
    let mut chosen = Chosen::default();
    let Chosen { options, no_refresh, detailed_exit_code } = &mut chosen;
    options.forget.extend(topology.decommissioned.iter().cloned());
    let text = case.text("options").unwrap_or_default();
    for line in text.lines().filter(|line| !line.starts_with('#')) {
        let (option, value) = line.split_once(' ').unwrap_or((line, ""));
        let pattern = || value.parse::<AddressPattern>().expect("a pattern");
        match option {
            "destroy" => options.destroy = true,
            "--target" => options.selection.targets.push(pattern()),
            "--exclude" => options.selection.excludes.push(pattern()),
            "--take-over" => options.take_over.push(pattern()),
            "--forget" => _ = options.forget.insert(Name::new(value).expect("a name")),
            "--skip-conflicts" => options.skip_conflicts = true,
            "--new-lineage" => options.new_lineage = true,
            "--revert-forwarding" => options.revert_forwarding = true,
            "--no-refresh" => *no_refresh = true,
            "--detailed-exitcode" => *detailed_exit_code = true,
            other => panic!("{}: an unknown option {other}", case.folder.display()),
        }
    }
    chosen
}

/// As `cli::session` does: where nothing in Azure is wanted or recorded and selected, nobody is asked.
fn concerns_azure(desired: &Desired, state: &State, options: &Options) -> bool {
    let recorded = state.records().filter(|(place, ..)| !place.is_node());
    let recorded = recorded.map(|(place, id, _)| (&*id.kind, place.name()));
    let mut addresses = recorded.chain(desired.azure.iter().flat_map(azure_udr::Wanted::addresses));
    addresses.any(|(kind, place)| options.selection.may_choose_in(kind, place))
}

/// As `cli::session` does: nodes that are to be forgotten, or excluded as a whole, are not asked.
fn left_out(desired: &Desired, state: &State, options: &Options) -> BTreeSet<Name> {
    let wanted = desired.places.iter().flat_map(|(place, wanted)| wanted.resources.keys().map(move |id| (place, id)));
    let all = wanted.chain(state.records().map(|(place, id, _)| (place, id)));
    let excluded = all
        .filter(|(place, id)| options.selection.excludes(&id.kind, place.name(), None))
        .filter_map(|(place, _)| place.node_name());
    options.forget.iter().cloned().chain(excluded).collect()
}

/// As `cli::session` does.
fn exit_of(plan: &Plan, detailed: bool) -> u8 {
    if plan.is_stopped() {
        1
    } else if detailed && plan.has_changes() {
        2
    } else if detailed && plan.has_unseen() {
        5
    } else {
        0
    }
}
