//! Nodes as a kind of place.

use std::sync::Arc;

use super::nodes::NodeSite;
use super::observed::Observation;
use super::progress::Progress;
use super::{plan, replan};
use crate::backend::{Begun, Inputs, LateError, Moment, Question, Site, StepEnd};
use crate::network::Memo;
use crate::plan::{PlacePlan, Plan, ResourcePlan};
use crate::resource::{NODE, Place, PlaceKind};
use crate::transport::BoxFuture;

impl Site for NodeSite {
    fn kind(&self) -> &'static PlaceKind {
        &NODE
    }

    fn ask<'a>(self: Arc<Self>, inputs: &Inputs<'a>, late: Option<&Place>, _memo: &mut Memo) -> Vec<Question<'a>> {
        match late {
            _ if self.transport.is_none() => Vec::new(),
            None => self.questions(inputs),
            Some(place) if self.looks().contains_key(place) => self.further_questions(inputs, |other| other == place),
            Some(place) => self.question(inputs, place, Some(place)).into_iter().collect(),
        }
    }

    fn silence(&self, place: &Place) -> Option<String> {
        self.looks().get(place)?.observation.unreachable().map(str::to_owned)
    }

    fn forget_silence(&self, place: &Place) {
        self.looks().remove(place);
    }

    fn plan(&self, inputs: &Inputs<'_>, plan: &mut Plan, memo: &mut Memo) {
        let looks = std::mem::take(&mut *self.looks());
        let observed = looks.into_iter().map(|(place, look)| (place, look.observation)).collect();
        let mut made = plan::plan(inputs, self.backends, &observed, memo);
        plan.answered += made.answered;
        plan.owners = made.owners;
        // As a rule there is nothing yet, and both trees become one without a copy.
        plan.places.append(&mut made.places);
        plan.forgotten.extend(made.forgotten);
        plan.findings.extend(made.findings);
    }

    fn replan(&self, inputs: &Inputs<'_>, place: &Place, plan: &mut Plan, memo: &mut Memo) -> Result<(), LateError> {
        match self.looks().remove(place).map(|look| look.observation) {
            Some(Observation::Seen(seen)) => replan::replan(plan, place, inputs, self.backends, *seen, memo),
            _ => Err(LateError::Unseen("topo did not read its answer".to_owned())),
        }
    }

    fn step(self: Arc<Self>, moment: &Moment<'_>, memo: &mut Memo) -> Option<Begun> {
        Some(self.begin(moment, memo))
    }

    fn settle(&self, moment: &Moment<'_>, end: &mut StepEnd) {
        self.settle_place(moment, end);
    }

    fn unfinished(&self, moment: &Moment<'_>, touched: bool) -> StepEnd {
        let mut end = StepEnd { touched, ..StepEnd::failed("") };
        if touched {
            let has_own_write = |resource: &ResourcePlan| resource.file.is_some() || resource.listed.is_some();
            let resources = moment.planned().into_iter().flat_map(|planned| &planned.resources);
            let files = resources.filter(|(_, resource)| has_own_write(resource)).map(|(id, _)| id.clone());
            let mut all = self.progress();
            let progress = all.entry(moment.place.clone()).or_default();
            progress.wrote = true;
            progress.touched_files.extend(files);
        }
        self.settle_place(moment, &mut end);
        end
    }

    /// Places with live routes that a file should keep across reboots, but does not keep yet.
    fn not_persistent(&self, plan: &Plan) -> Vec<Place> {
        let all = self.progress();
        let is_left = |(place, progress): &(&Place, &Progress)| {
            let mut files = plan.places.get(*place).into_iter().flat_map(PlacePlan::files);
            progress.wrote
                && files
                    .any(|(id, file)| file.wanted && file.change.is_some() && !progress.file_tokens.contains_key(id))
        };
        all.iter().filter(is_left).map(|(place, _)| place.clone()).collect()
    }

    fn close(&self) -> BoxFuture<'_, ()> {
        match &self.transport {
            Some(transport) => transport.close(),
            None => Box::pin(std::future::ready(())),
        }
    }
}
