//! What plan, apply and destroy share: topology, state, the connection to the nodes, and the plan itself.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use clap::Args;
use tokio::sync::{mpsc, watch};

use super::{CommandError, GlobalArguments, configuration, validate};
use crate::backend::{self, Desired, Registry, Site, node};
use crate::drive;
use crate::exchange::Requests;
use crate::exit::Exit;
use crate::network::Memo;
use crate::plan::{self, Options, Plan};
use crate::report::Timed;
use crate::resource::{AddressPattern, Name, Place, Record, ResourceId, Shape};
use crate::state::{LocalStore, Revision, State, Store};
use crate::topology::{self, Topology};
use crate::transport::ssh::{Ssh, SshOptions};
use crate::transport::{ShellTransport, Transport};
use crate::ui::Printer;
use crate::ui::review::{self, ReportedReasons};

/// How many events may wait for the terminal. topo drops further ones.
const EVENTS: usize = 4096;
/// The largest reply of a node that topo reads, in bytes: a table of some hundred thousand routes.
const REPLY_LIMIT: usize = 64 << 20;

/// What a plan excludes, takes over or forgets.
#[derive(Clone, Debug, Default, Args)]
pub(super) struct Selection {
    #[allow(clippy::doc_link_with_quotes)] // The text is shown as it is written here.
    /// Only these addresses, as `topo state list` writes them: KIND.PLACE for all of a kind in a place, or
    /// KIND.PLACE["ROW"] for a single route or file. PLACE alone is everything in the place, such as a node. * and ? are
    /// wildcards. May be given several times.
    #[arg(long, value_name = "GLOB")]
    pub(super) target: Vec<AddressPattern>,
    /// Not these addresses.
    #[arg(long, value_name = "GLOB")]
    pub(super) exclude: Vec<AddressPattern>,
    /// Drop the record of a node that no longer exists, without a login.
    #[arg(long, value_name = "NODE")]
    pub(super) forget: Vec<Name>,
    /// Take over these addresses from their present owners.
    #[arg(long, value_name = "GLOB")]
    pub(super) take_over: Vec<AddressPattern>,
    /// Skip routes and files that conflict with those of others, and continue with the rest (exit code 3).
    #[arg(long)]
    pub(super) skip_conflicts: bool,
    /// Rebuild a lost state: adopt everything that is both wanted and live, under a new lineage.
    #[arg(long)]
    pub(super) new_lineage: bool,
    /// Turn IP forwarding off again where topo turned it on, when no route needs it.
    #[arg(long)]
    pub(super) revert_forwarding: bool,
}

impl Selection {
    /// The same for the planner.
    pub(super) fn options(&self, topology: Option<&Topology>, destroy: bool) -> Options {
        let mut forget: BTreeSet<Name> = self.forget.iter().cloned().collect();
        forget.extend(topology.iter().flat_map(|topology| topology.decommissioned.iter().cloned()));
        Options {
            selection: plan::Selection { targets: self.target.clone(), excludes: self.exclude.clone() },
            forget,
            take_over: self.take_over.clone(),
            skip_conflicts: self.skip_conflicts,
            new_lineage: self.new_lineage,
            destroy,
            revert_forwarding: self.revert_forwarding,
        }
    }
}

/// Reads and checks a topology. Writes the findings; an error among them ends the command.
pub(super) fn load_topology(
    file: &Path,
    registry: &'static Registry,
    printer: Printer,
) -> Result<Topology, CommandError> {
    let sources = validate::load_sources(file)?;
    let (topology, diagnostics) = topology::parse(&sources, registry.formats());
    validate::report(&diagnostics, &sources, printer);
    let (errors, _) = diagnostics.counts();
    topology.ok_or_else(|| validate::invalid(file, errors))
}

/// The path of a topology's state.
pub(super) fn state_path(global: &GlobalArguments, file: &Path, name: &Name) -> Result<PathBuf, CommandError> {
    if let Some(path) = &global.state {
        if path.to_str().is_some_and(|text| text.contains("://")) {
            return Err(CommandError::new(format!("topo cannot keep the state at {} yet.", path.display()))
                .hint("Give a path on this machine with --state."));
        }
        return Ok(path.clone());
    }
    let beside = if file == Path::new("-") {
        Path::new("")
    } else if file.is_dir() {
        file
    } else {
        file.parent().unwrap_or(Path::new(""))
    };
    Ok(beside.join("state").join(format!("{name}.json")))
}

/// A state that was read, and its store.
pub(super) struct Recorded {
    /// The state, with the journal of an unfinished run applied; a new state if there was none.
    pub(super) state: State,
    /// The write that the state comes from.
    pub(super) revision: Revision,
    /// The store.
    pub(super) store: Arc<dyn Store>,
}

/// The store at a path.
pub(super) fn store_at(path: &Path, registry: &'static Registry) -> Arc<dyn Store> {
    Arc::new(LocalStore::new(path, registry.known()))
}

/// Reads the state.
pub(super) async fn read_state(store: Arc<dyn Store>, name: &Name) -> Result<Recorded, CommandError> {
    let snapshot = store.read().await?.expect_topology(name, &store.location())?;
    let revision = snapshot.revision();
    let state = match snapshot.folded() {
        Some(state) => state,
        None => State::new(name.clone()).map_err(|error| {
            CommandError::new(format!("topo could not get random numbers for a new state: {error}."))
        })?,
    };
    if let Some((place, id, _)) = state.records().find(|(.., record)| matches!(record, Record::Opaque(_))) {
        return Err(CommandError::new(format!(
            "The state {} has records of the backend `{}` ({} in {place}), which this topo does not have.",
            store.location(),
            id.backend,
            id.kind
        ))
        .hint("Nothing was changed. Use a topo that has this backend."));
    }
    Ok(Recorded { state, revision, store })
}

/// From so many routes of a node on, connections compress: a write of them then sends a tenth.
const MANY_ROUTES: usize = 200;

/// Whether there is a node with many routes.
fn has_many_routes(desired: &Desired, state: &State) -> bool {
    let wanted = desired.places.values().flat_map(|place| place.resources.values());
    let recorded = state.records().flat_map(|(.., record)| record.shapes());
    let is_long = |shape: &Shape| shape.routes.as_ref().is_some_and(|set| set.rows.as_slice().len() > MANY_ROUTES);
    wanted.chain(recorded).any(is_long)
}

/// The connection to the nodes.
fn transport(global: &GlobalArguments, compress: bool) -> Result<Arc<dyn Transport>, CommandError> {
    let options = SshOptions {
        parallelism: usize::from(global.parallelism),
        connect_timeout: global.connect_timeout,
        node_timeout: global.node_timeout,
        compress,
        ssh_config: global.ssh_config.clone(),
        known_hosts: global.known_hosts.clone(),
        reply_limit: REPLY_LIMIT,
    };
    let ssh = Ssh::new(options).map_err(|error| CommandError::new(error.to_string()))?;
    Ok(Arc::new(ShellTransport(ssh)))
}

/// The kinds of places that are wanted or recorded, each with its connection.
pub(super) type Sites = Vec<Arc<dyn Site>>;

/// Sends nothing yet. Where topo is not to look (`looks`), it plans from the record alone.
pub(super) fn sites(
    registry: &Registry,
    global: &GlobalArguments,
    desired: &Desired,
    state: &State,
    looks: bool,
) -> Result<Sites, CommandError> {
    let nodes = if looks { Some(transport(global, has_many_routes(desired, state))?) } else { None };
    let mut sites: Sites = vec![Arc::new(node::NodeSite::new(registry.on_nodes, nodes))];
    for site in registry.sites() {
        if !(site.wanted)(desired).is_empty() || state.places.keys().any(|place| place.kind() == site.place) {
            let operator = if looks { Some(configuration::read(site, registry, global)?) } else { None };
            sites.push((site.connect)(operator.as_ref())?);
        }
    }
    Ok(sites)
}

/// How many requests topo has sent so far, to each service.
pub(super) fn requests(sites: &Sites) -> Vec<Requests> {
    sites.iter().filter_map(|site| site.requests()).collect()
}

/// Ends all sessions.
pub(super) async fn close(sites: &Sites) {
    for site in sites {
        site.close().await;
    }
}

/// Runs a command's async part. One thread is enough: the work is done by ssh and the kernel.
pub(super) fn block_on<T>(future: impl Future<Output = Result<T, CommandError>>) -> Result<T, CommandError> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| CommandError::new(format!("topo could not start its async runtime: {error}.")))?;
    let result = runtime.block_on(future);
    // After an interrupt, a thread still waits for the answer to the question on the terminal.
    runtime.shutdown_background();
    result
}

/// A channel for events.
pub(super) fn events() -> (mpsc::Sender<Timed>, mpsc::Receiver<Timed>) {
    mpsc::channel(EVENTS)
}

/// A plan and its inputs.
pub(super) struct Planned {
    /// The plan.
    pub(super) plan: Plan,
    /// What is desired.
    pub(super) desired: Desired,
    /// What the user chose.
    pub(super) options: Options,
    /// Number of comparisons so far.
    pub(super) memo: Memo,
}

/// The inputs of a plan.
pub(super) struct Inputs<'a> {
    /// The topology's name.
    pub(super) name: &'a Name,
    /// What is desired.
    pub(super) desired: Desired,
    /// What the user chose.
    pub(super) options: Options,
    /// The state.
    pub(super) state: &'a State,
}

impl Inputs<'_> {
    /// Refuses a selection that selects nothing: a misspelt name must not look like a place without changes.
    fn check_selection(&self, selection: &Selection, registry: &Registry) -> Result<(), CommandError> {
        let known = |name: &Name| {
            let place = Place::from(name.clone());
            self.desired.places.contains_key(&place) || self.state.places.contains_key(&place)
        };
        if let Some(name) = selection.forget.iter().find(|name| !known(name)) {
            return Err(CommandError::new(format!("--forget {name}: there is no such node."))
                .hint("`topo state list` lists what is recorded."));
        }
        let Options { selection, take_over, .. } = &self.options;
        if selection.is_all() && take_over.is_empty() {
            return Ok(());
        }
        let sites = registry.sites().iter().map(|site| (site, (site.wanted)(&self.desired)));
        let sites: Vec<_> = sites.filter(|(_, wanted)| !wanted.is_empty()).collect();
        let wanted = sites.iter().flat_map(|(_, wanted)| wanted).map(|(kind, place)| (*kind, place.as_str()));
        let recorded = resources(&self.desired, self.state).map(|(place, id)| (&*id.kind, place.name()));
        let addresses: Vec<(&str, &str)> = recorded.chain(wanted).collect();
        let (targets, excludes) = (&selection.targets, &selection.excludes);
        let options = [("--target", targets), ("--exclude", excludes), ("--take-over", take_over)];
        let mut named = options.into_iter().flat_map(|(option, list)| list.iter().map(move |one| (option, one)));
        // topo has not looked yet. Excluding a resource that does not exist does no harm.
        let only_seen = || sites.iter().flat_map(|(site, _)| site.kinds).filter(|kind| kind.only_seen);
        let may_be_seen =
            |pattern: &AddressPattern| only_seen().any(|kind| pattern.to_string().starts_with(&format!("{kind}.")));
        let unknown = named.find(|(option, pattern)| {
            let is_known = addresses.iter().any(|(kind, place)| pattern.may_match_in(kind, place));
            !(is_known || *option == "--exclude" && may_be_seen(pattern))
        });
        let Some((option, pattern)) = unknown else { return Ok(()) };
        let mut hint = "* and ? are wildcards. `topo state list` lists the recorded addresses.".to_owned();
        if let Some((_, place)) = addresses.iter().min() {
            let of_each_kind: BTreeMap<&str, &str> = addresses.iter().rev().copied().collect();
            let like: Vec<String> = of_each_kind.iter().map(|(kind, place)| format!("{kind}.{place}")).collect();
            hint = format!(
                "Addresses look like {}, with [\"ROW\"] at the end for a single row; {place} alone is everything there. {hint}",
                like.join(", ")
            );
        }
        Err(CommandError::new(format!("{option} {pattern}: there is no such address.")).hint(hint))
    }
}

/// Checks the selection, then plans and shows the progress. None: the user interrupted it.
pub(super) async fn plan(
    inputs: Inputs<'_>,
    registry: &Registry,
    selection: &Selection,
    sites: &Sites,
    global: &GlobalArguments,
    mut stop: watch::Receiver<bool>,
    printer: Printer,
) -> Result<Option<Planned>, CommandError> {
    inputs.check_selection(selection, registry)?;
    if *stop.borrow() {
        return Ok(None);
    }
    let (events, listener) = events();
    let progress = review::listen(listener, ReportedReasons::default(), printer);
    let planned = tokio::select! {
        planned = make_plan(inputs, sites, usize::from(global.parallelism), &events) => Some(planned),
        _ = stop.changed() => None,
    };
    drop(events);
    let _ = progress.await;
    Ok(planned)
}

/// Looks at all places to which there is a connection, and plans.
async fn make_plan(inputs: Inputs<'_>, sites: &Sites, parallelism: usize, events: &mpsc::Sender<Timed>) -> Planned {
    let Inputs { name: topology, mut desired, options, state: recorded } = inputs;
    let mut memo = Memo::default();
    let inputs = backend::Inputs { topology, desired: &desired, recorded, options: &options };
    drive::observe(sites, &inputs, parallelism, events, &mut memo).await;
    desired.covered = drive::covered(sites, &inputs);
    let inputs = backend::Inputs { topology, desired: &desired, recorded, options: &options };
    let plan = drive::plan(sites, &inputs, &mut memo);
    Planned { plan, desired, options, memo }
}

/// Everything that is wanted or recorded in places that the topology or the state names.
fn resources<'a>(desired: &'a Desired, state: &'a State) -> impl Iterator<Item = (&'a Place, &'a ResourceId)> {
    let wanted = desired.places.iter().flat_map(|(place, wanted)| wanted.resources.keys().map(move |id| (place, id)));
    wanted.chain(state.records().map(|(place, id, _)| (place, id)))
}

/// Whether the user may have selected something in a place.
pub(super) fn concerns(options: &Options, registry: &Registry, place: &Place) -> bool {
    registry.known().kinds.iter().any(|kind| options.selection.may_choose_in(kind.id, place.name()))
}

/// The exit code of a plan that is not applied.
pub(super) fn exit_of(plan: &Plan, has_changes: bool, detailed: bool) -> Exit {
    if plan.is_stopped() || (!detailed && plan.reached_nothing()) {
        Exit::NothingChanged
    } else if !detailed {
        Exit::Done
    } else if has_changes {
        Exit::Changes
    } else if plan.has_unseen() {
        Exit::NotEverywhere
    } else {
        Exit::Done
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::Finding;

    #[test]
    fn a_plan_that_reached_nothing_fails_and_one_that_reached_something_does_not() {
        let place = Place::from(Name::new("node-0").expect("name"));
        let exits = |answered: usize, findings: Vec<Finding>, has_changes: bool| {
            let plan = Plan { findings, answered, ..Plan::default() };
            [false, true].map(|detailed| exit_of(&plan, has_changes, detailed))
        };
        let unseen = || vec![Finding::unseen(&place, "It is away.")];
        assert_eq!(exits(0, unseen(), false), [Exit::NothingChanged, Exit::NotEverywhere]);
        assert_eq!(exits(0, unseen(), true), [Exit::NothingChanged, Exit::Changes]);
        assert_eq!(exits(1, unseen(), false), [Exit::Done, Exit::NotEverywhere]);
        // Nobody looked, as with --no-refresh.
        assert_eq!(exits(0, Vec::new(), true), [Exit::Done, Exit::Changes]);
    }
}
