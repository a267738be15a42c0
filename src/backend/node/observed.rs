//! What is live, as far as somebody looked.

use std::net::IpAddr;

use crate::backend::netplan::{Attributes, NETPLAN_FILE};
use crate::backend::{OnNodes, of_kind};
use crate::exchange::node::{FoundValues, FoundWay, Identity, Inspected, Listed, Part};
use crate::network::Prefix;
use crate::plan::DesiredPlace;
use crate::resource::{Record, ResourceId, Shape, Token};
use crate::state::PlaceRecord;

/// What topo saw of one place. If nobody asked the place, or topo could not reach it, nothing is known: neither that something is
/// there nor that something is missing.
#[derive(Clone, Debug, Default)]
pub enum Observation {
    /// Nobody looked.
    #[default]
    NotAsked,
    /// topo could not reach the place. The sentence says why.
    Unreachable(String),
    /// It answered.
    Seen(Box<Seen>),
}

/// The answers of a node.
#[derive(Clone, Debug, Default)]
pub struct Seen {
    /// The identity of the machine.
    pub identity: Identity,
    /// The routing tables that topo asked for: number and rows.
    pub tables: Vec<(u32, Listed)>,
    /// Next hops that are not on-link, each with the answer of the kernel.
    pub not_on_link: Vec<(IpAddr, String)>,
    /// The devices that lead to gateways that are on-link.
    pub devices: Vec<(IpAddr, Box<str>)>,
    /// New next hops behind a tunnel, each with its device.
    pub tunnels: Vec<(IpAddr, String)>,
    /// Destinations that files of others name, each with the path of the file.
    pub kept: Vec<(Prefix, String)>,
    /// The ways of packets that topo asked about; none if there was nothing to ask.
    pub ways: Option<Vec<FoundWay>>,
    /// Routes of topo's beside which somebody else has a row that the kernel uses instead, each with the kernel's answer.
    pub beaten: Vec<(Prefix, String)>,
    /// Files that keep routes, by name, and what they depend on.
    pub files: Vec<(String, Inspected)>,
    /// Settings of the kernel, each with the path of the file that keeps them.
    pub values: Vec<(String, FoundValues)>,
}

impl Observation {
    /// Why topo could not reach the place.
    pub fn unreachable(&self) -> Option<&str> {
        match self {
            Self::Unreachable(reason) => Some(reason),
            Self::NotAsked | Self::Seen(_) => None,
        }
    }

    /// The answers, if the place answered.
    pub fn seen(&self) -> Option<&Seen> {
        match self {
            Self::Seen(seen) => Some(seen),
            _ => None,
        }
    }
}

impl Observation {
    /// Adds the answers to further questions. Where one of them has no answer, the place was not looked at.
    pub(super) fn add(&mut self, answer: Self) {
        match (self, answer) {
            (Self::Seen(seen), Self::Seen(answer)) => {
                (seen.ways, seen.beaten, seen.kept) = (answer.ways, answer.beaten, answer.kept);
            }
            (observation, answer) => *observation = answer,
        }
    }
}

impl Seen {
    /// What the place said about a file.
    pub fn file(&self, name: &str) -> Option<&Inspected> {
        self.files.iter().find(|(file, _)| file == name).map(|(_, inspected)| inspected)
    }

    /// What the place said about settings of the kernel that a file with this path keeps.
    pub fn values(&self, path: &str) -> Option<&FoundValues> {
        self.values.iter().find(|(of, _)| of == path).map(|(_, found)| found)
    }

    /// What is missing in these answers, in a sentence: a table or a file that they do not name, or a part that they left out as
    /// known although this record does not have it. topo can plan nothing without it.
    pub(super) fn gap(
        &self,
        backends: OnNodes,
        wanted: Option<&DesiredPlace>,
        record: Option<&PlaceRecord>,
    ) -> Option<String> {
        let entry = |id: &ResourceId| record.and_then(|record| record.resources.get(id));
        let of_wanted = |(id, shape): (&ResourceId, &Shape)| self.gap_of(backends, id, shape, shape, entry(id));
        let of_record = |(id, record): (&ResourceId, &Record)| {
            let leading = wanted.and_then(|wanted| wanted.resources.get(id)).or_else(|| record.shapes().next())?;
            record.shapes().find_map(|shape| self.gap_of(backends, id, shape, leading, Some(record)))
        };
        let mut wanted = wanted.iter().flat_map(|wanted| &wanted.resources);
        let mut recorded = record.iter().flat_map(|record| &record.resources);
        wanted.find_map(of_wanted).or_else(|| recorded.find_map(of_record))
    }

    /// The same for one shape of a resource. The leading shape says whether the routes belong to the resource alone.
    fn gap_of(
        &self,
        backends: OnNodes,
        id: &ResourceId,
        shape: &Shape,
        leading: &Shape,
        record: Option<&Record>,
    ) -> Option<String> {
        let token = match record {
            Some(Record::Settled { token, .. }) => token.as_ref(),
            _ => None,
        };
        let not_answered = |what: String| {
            Some(format!(
                "Its answer does not say what topo has to know about {what}. Run topo again, and report it if that stays."
            ))
        };
        if shape.routes.is_none() && of_kind(backends, &id.kind).is_some_and(|one| !one.is_answered(&id.name, self)) {
            return not_answered(format!("{} {}", id.kind, id.name));
        }
        let mut table_token: Option<Token> = token.cloned();
        if *id.kind == NETPLAN_FILE {
            let (of_table, of_file) = token.map(Token::split).map_or((None, None), |(table, file)| (table, Some(file)));
            match self.file(&id.name) {
                Some(Inspected { found: Part::Sent(_), .. }) => {}
                Some(Inspected { found: Part::AsKnown, token }) if of_file.as_ref() == Some(token) => {}
                _ => return not_answered(format!("the file {}", id.name)),
            }
            if !Attributes::are_alone(leading) {
                return None;
            }
            table_token = of_table;
        }
        let table = shape.routes.as_ref()?.view.table;
        let is_known = |part: &Part<_>, of: fn(&Token) -> &str, listed: &Listed| {
            !part.is_as_known() || table_token.as_ref().is_some_and(|token| of(token) == of(&listed.token))
        };
        match self.table(table) {
            Some(listed)
                if is_known(&listed.ours, Token::ours, listed) && is_known(&listed.foreign, Token::foreign, listed) =>
            {
                None
            }
            _ => not_answered(format!("the routing table {table}")),
        }
    }

    /// What was listed of a table.
    pub fn table(&self, number: u32) -> Option<&Listed> {
        self.tables.iter().find(|(table, _)| *table == number).map(|(_, listed)| listed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::backend::Inputs;
    use crate::backend::node::fixture::{World, kernel_route, place, plan_of, seen};
    use crate::backend::node::replan;
    use crate::backend::{Desired, REGISTRY};
    use crate::network::Memo;
    use crate::plan::{Options, Plan, Severity};
    use crate::resource::{Name, Place};
    use crate::state::State;

    /// What node-0 answers, changed by a function.
    fn answer(state: &State, edit: impl Fn(&mut Seen)) -> Vec<(Place, Observation)> {
        let (place, observation) = seen(state, "node-0", |_| ());
        let Observation::Seen(mut seen) = observation else { panic!() };
        edit(&mut seen);
        vec![(place, Observation::Seen(seen))]
    }

    /// Whether node-0 counts as looked at, and whether something is done there.
    fn looked_at(plan: &Plan) -> (bool, bool) {
        let place = place("node-0");
        let planned = plan.places.get(&place);
        assert_eq!(planned.is_some_and(|planned| planned.unseen.is_some()) || plan.has_unseen(), plan.has_unseen());
        assert!(plan.findings.iter().all(|finding| finding.severity == Severity::Warning), "{plan:?}");
        (!plan.unseen().contains(&place), planned.is_some_and(|planned| planned.acts && planned.unseen.is_none()))
    }

    #[test]
    fn a_table_that_is_missing_in_the_answer_is_not_empty() {
        let world = World::mesh(3, 3);
        let nothing = State::new(Name::new("mesh").expect("name")).expect("lineage");
        // Routes to be kept, to be removed, to be added.
        for (desired, state) in
            [(world.desired(), world.state()), (Desired::default(), world.state()), (world.desired(), nothing)]
        {
            let plan = plan_of(&desired, &state, answer(&state, |seen| seen.tables.clear()), &Options::default());
            assert_eq!((looked_at(&plan), plan.answered), ((false, false), 0));
            assert!(plan.reached_nothing());
        }
        let (desired, state) = (world.desired(), world.state());
        let plan = plan_of(&desired, &state, answer(&state, |_| ()), &Options::default());
        assert_eq!((looked_at(&plan), plan.answered), ((true, false), 1));
    }

    #[test]
    fn what_is_as_known_is_known_from_this_record_alone() {
        let world = World::mesh(3, 3);
        let as_known = |seen: &mut Seen| {
            for (_, listed) in &mut seen.tables {
                (listed.ours, listed.foreign) = (Part::AsKnown, Part::AsKnown);
            }
        };
        for (token, is_known) in [(Some("a.b"), true), (Some("a.c"), false), (Some("b.b"), false), (None, false)] {
            let mut state = world.state();
            let record = state.places.get_mut(&place("node-0")).and_then(|one| one.resources.get_mut(&kernel_route()));
            let Some(Record::Settled { token: known, .. }) = record else { panic!() };
            *known = token.map(Token::new);
            let plan = plan_of(&world.desired(), &state, answer(&state, as_known), &Options::default());
            assert_eq!(looked_at(&plan), (is_known, false), "{token:?}");
        }
    }

    #[test]
    fn a_place_that_answers_late_has_to_answer_all() {
        let (world, name) = (World::mesh(3, 3), Name::new("mesh").expect("name"));
        let (desired, state, options) = (Desired::default(), world.state(), Options::default());
        let away = (place("node-0"), Observation::Unreachable("It is away.".to_owned()));
        let inputs = Inputs { topology: &name, desired: &desired, recorded: &state, options: &options };
        for is_whole in [true, false] {
            let edit = |seen: &mut Seen| {
                if !is_whole {
                    seen.tables.clear();
                }
            };
            let Some((at, Observation::Seen(seen))) = answer(&state, edit).pop() else { panic!() };
            let mut plan = plan_of(&desired, &state, vec![away.clone()], &options);
            let result = replan(&mut plan, &at, &inputs, REGISTRY.on_nodes, *seen, &mut Memo::default());
            assert_eq!(result.is_ok(), is_whole, "{result:?}");
        }
    }
}
