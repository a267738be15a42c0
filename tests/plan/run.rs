//! From the folder of a case to its plan, as `topo plan` and `topo destroy` make it. All that knows topo's own types is here.

use std::sync::Arc;

use jiff::Timestamp;
use tokio::sync::mpsc;
use topo::backend::azure_udr::AzureSite;
use topo::backend::node::NodeSite;
use topo::backend::{Inputs, REGISTRY, Site};
use topo::drive::{covered, observe};
use topo::network::Memo;
use topo::plan::{Options, Plan, Summary};
use topo::render::{json, style::Look, text};
use topo::report::{Event, Timed, Version};
use topo::resource::{AddressPattern, Name};
use topo::state::State;
use topo::topology::{self, Source, Topology};
use topo::transport::azure::Azure;
use topo::transport::{ShellTransport, Transport};

use super::azure;
use super::case::Case;
use super::nodes::{Nodes, Way};
use crate::events::checked;

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
        let mut write = |event: Event| {
            // The same time at each run.
            let timed = Timed { version: Version::V2, time: Timestamp::UNIX_EPOCH, event };
            json += &serde_json::to_string(&timed).expect("JSON");
            json.push('\n');
        };
        json::plan(&plan, &summary, &mut write);
        write(json::plan_result(&plan, requests.as_slice()));
        checked(&json);
        let text = text::plan(&plan, &summary, Look::default(), !chosen.options.destroy, REGISTRY.known());
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
    let mut desired = REGISTRY.desire(topology);
    if options.destroy {
        desired.clear();
    }
    let in_azure = !desired.tables.is_empty() || state.places.keys().any(|place| !place.is_node());
    let azure = if in_azure && !no_refresh { Some(azure::connect(case).await) } else { None };
    let nodes = Arc::new(Nodes::new(Arc::clone(case), records));
    let transport: Arc<dyn Transport> = Arc::new(ShellTransport(Way(Arc::clone(&nodes))));
    let mut sites: Vec<Arc<dyn Site>> =
        vec![Arc::new(NodeSite::new(REGISTRY.on_nodes, Some(transport).filter(|_| !no_refresh)))];
    if in_azure {
        sites.push(Arc::new(AzureSite::new(azure.clone())));
    }
    let (mut memo, (events, _listener)) = (Memo::default(), mpsc::channel(1));
    let inputs = Inputs { topology: &topology.name, desired: &desired, recorded: state, options };
    observe(&sites, &inputs, 1, &events, &mut memo).await;
    if !no_refresh {
        nodes.check_questions();
    }
    desired.covered = covered(&sites, &inputs);
    let inputs = Inputs { topology: &topology.name, desired: &desired, recorded: state, options };
    (topo::drive::plan(&sites, &inputs, &mut memo), memo, azure)
}

fn topology(case: &Case) -> Topology {
    let text = case.text("topo.toml").expect("topo.toml");
    let (topology, diagnostics) = topology::parse(&[Source { name: "topo.toml".into(), text }], REGISTRY.formats());
    let errors = || diagnostics.iter().map(|one| one.message.clone()).collect::<Vec<_>>();
    topology.unwrap_or_else(|| panic!("{}: {:?}", case.folder.display(), errors()))
}

fn state(case: &Case, name: &Name) -> State {
    if let Some(text) = case.read("state.json") {
        return State::from_json(&text, REGISTRY.known()).unwrap_or_else(|error| panic!("{error}"));
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
