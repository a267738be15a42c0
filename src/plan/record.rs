//! The record rule: what the state says about a resource while a run is under way. One rule for resources of every kind.

use super::{PlacePlan, ResourcePlan};
use crate::resource::{Record, Shape};

impl ResourcePlan {
    /// The record when the run begins, given the record before it.
    ///
    /// What the run touches is in doubt until its outcome is known: between what it is and what it becomes. Where only the
    /// record changes, it gets its new value at once.
    pub fn record_at_start(&self, before: Option<Record>, place: &PlacePlan) -> Option<Record> {
        let looked = place.unseen.is_none();
        let to = self.to();
        let is_touched = self.listed.as_ref().map_or(place.acts || !looked, |listed| !listed.phases.is_empty());
        if !is_touched {
            // Nothing new can be recorded of a place that nobody looked at.
            if self.is_partial() || (self.listed.is_some() && !looked) {
                return before;
            }
            let file = self.file.as_ref().and_then(|file| file.token.as_ref());
            return to.map(|is| Record::Settled { is, token: self.token(|table| table.token.clone(), file) });
        }
        let (is, also) = match (&self.listed, before) {
            // Nobody knows what is there: all sides of the doubt stay, and this run does nothing to the resource.
            (_, Some(doubt @ Record::InDoubt { .. })) if !looked => return Some(doubt),
            (Some(listed), before) => {
                // The place says that it is not there any more. What the record has stays until the step has confirmed that.
                let gone = before.filter(|_| listed.is.is_none());
                (listed.is.clone(), gone.iter().flat_map(Record::confirmed).cloned().collect())
            }
            (None, None) => (None, Vec::new()),
            (None, Some(Record::Settled { is, .. })) => (Some(is), Vec::new()),
            (None, Some(Record::Opaque(raw))) => return Some(Record::Opaque(raw)),
            (None, Some(Record::InDoubt { is, to: meant, also })) => {
                self.sides(is, meant.into_iter().chain(also), to.as_ref())
            }
        };
        match (&is, &to) {
            (None, None) if also.is_empty() => None,
            _ => Some(Record::InDoubt { is, to, also }),
        }
    }

    /// What a record in doubt turned out to be: what it is, and what else may be there.
    fn sides(
        &self,
        is: Option<Shape>,
        others: impl Iterator<Item = Shape>,
        to: Option<&Shape>,
    ) -> (Option<Shape>, Vec<Shape>) {
        if self.file.is_some() {
            // A file is either the old or the new one. The next look tells which.
            let others = others.filter(|shape| Some(shape) != is.as_ref() && Some(shape) != to).collect();
            return (is, others);
        }
        // The look found the rows of each side.
        let found = self.tables.iter().flat_map(|table| table.settled.iter().cloned());
        let mut found = found.filter(|set| set.routes().next().is_some()).map(Shape::of_routes);
        (found.next(), found.collect())
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::backend::node::fixture::{World, kernel_route, place, plan_of, seen};
    use crate::plan::{FilePlan, Options};
    use crate::resource::{Phase, SharedJson, Token};

    fn shape(text: &str) -> Shape {
        Shape { routes: None, attributes: SharedJson::from(json!({ "text": text })) }
    }

    #[test]
    fn a_file_in_doubt_is_one_of_its_sides_or_what_it_becomes() {
        let file = FilePlan {
            wanted: true,
            attributes: shape("wanted").attributes,
            change: None,
            is_left: false,
            phase: Phase::Persist,
            token: None,
            is_loaded: false,
            has_table: false,
        };
        let planned = ResourcePlan { file: Some(file), ..ResourcePlan::default() };
        let before = Record::InDoubt {
            is: Some(shape("old")),
            to: Some(shape("meant")),
            also: vec![shape("old"), shape("wanted"), shape("older")],
        };
        let place = PlacePlan { acts: true, ..PlacePlan::default() };
        let (is, to) = (Some(shape("old")), Some(shape("wanted")));
        let after = Record::InDoubt { is, to, also: vec![shape("meant"), shape("older")] };
        assert_eq!(planned.record_at_start(Some(before), &place), Some(after));
    }

    #[test]
    fn a_record_that_is_as_wanted_gets_the_token_of_the_look() {
        let world = World::mesh(3, 3);
        let (desired, mut state) = (world.desired(), world.state());
        // An earlier run did not note its outcome.
        let resources = &mut state.places.get_mut(&place("node-0")).expect("recorded").resources;
        let is = desired.places[&place("node-0")].resources.get(&kernel_route()).expect("wanted").clone();
        let before = Record::InDoubt { is: None, to: Some(is.clone()), also: Vec::new() };
        resources.insert(kernel_route(), before.clone());
        let plan = plan_of(&desired, &state, vec![seen(&state, "node-0", |_| ())], &Options::default());
        let placed = &plan.places[&place("node-0")];
        assert!(!placed.acts);
        let after = Record::Settled { is, token: Some(Token::of("a", "b")) };
        assert_eq!(
            placed.resources.get(&kernel_route()).expect("planned").record_at_start(Some(before), placed),
            Some(after)
        );
    }
}
