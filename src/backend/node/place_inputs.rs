//! What is wanted and what is recorded, gone through together.

use std::cmp::Ordering;

use crate::backend::{OnNodes, of_kind};
use crate::network::{Memo, RouteSet};
use crate::plan::DesiredPlace;
use crate::resource::{Place, Record, ResourceId, Shape};
use crate::state::PlaceRecord;

/// What is wanted of one place, and what is recorded of its machine.
#[derive(Clone, Copy)]
pub(super) struct PlaceInputs<'a> {
    pub(super) place: &'a Place,
    pub(super) wanted: Option<&'a DesiredPlace>,
    /// The place under which the machine is recorded.
    pub(super) source: Option<&'a Place>,
    pub(super) record: Option<&'a PlaceRecord>,
}

impl<'a> PlaceInputs<'a> {
    /// The routes that are wanted, by resource.
    pub(super) fn wanted_routes(&self) -> impl Iterator<Item = (&'a ResourceId, &'a RouteSet)> + use<'a> {
        let resources = self.wanted.into_iter().flat_map(|wanted| &wanted.resources);
        resources.filter_map(|(id, shape)| Some((id, shape.routes.as_ref()?)))
    }

    /// The routes that are recorded, by resource.
    pub(super) fn recorded_routes(&self) -> impl Iterator<Item = (&'a ResourceId, &'a RouteSet)> + use<'a> {
        let resources = self.record.into_iter().flat_map(|record| &record.resources);
        resources.flat_map(|(id, entry)| entry.shapes().filter_map(move |shape| Some((id, shape.routes.as_ref()?))))
    }

    /// Whether there is nothing to do in a place that nobody looked at: the record under its name is as wanted, and nothing of it is
    /// in doubt. Routes that were left to others count as still theirs.
    pub(super) fn is_unchanged(&self, backends: OnNodes, memo: &mut Memo) -> bool {
        let (Some(wanted), Some(record)) = (self.wanted, self.record) else { return false };
        let mut same = |id: &ResourceId, shape: &Shape, record: &Record| match (&shape.routes, record) {
            (Some(to), Record::Settled { is: is @ Shape { routes: Some(from), .. }, .. }) => {
                from.is_same_mesh(to, memo)
                    && of_kind(backends, &id.kind).is_some_and(|backend| backend.fits(shape, is))
            }
            (None, Record::Settled { is, .. }) => {
                is.routes.is_none() && of_kind(backends, &id.kind).is_some_and(|backend| backend.fits(shape, is))
            }
            _ => false,
        };
        self.source == Some(self.place)
            && !wanted.resources.is_empty()
            && wanted.resources.len() == record.resources.len()
            && wanted
                .resources
                .iter()
                .zip(&record.resources)
                .all(|((id, shape), (other, record))| id == other && same(id, shape, record))
    }
}

/// A resource, with what is wanted and what is recorded.
pub(super) type Compared<'a> = (&'a ResourceId, Option<&'a Shape>, Option<&'a Record>);

/// The resources of one place, sorted, each with what is wanted and what is recorded.
pub(super) fn resources_of<'a>(wanted: Option<&'a DesiredPlace>, record: Option<&'a PlaceRecord>) -> Vec<Compared<'a>> {
    let mut resources = Vec::with_capacity(2);
    let mut left = wanted.iter().flat_map(|wanted| &wanted.resources).peekable();
    for (id, entry) in record.iter().flat_map(|record| &record.resources) {
        let shape = loop {
            match left.peek().map(|(other, _)| (*other).cmp(id)) {
                Some(Ordering::Less) => resources.extend(left.next().map(|(other, shape)| (other, Some(shape), None))),
                Some(Ordering::Equal) => break left.next().map(|(_, shape)| shape),
                Some(Ordering::Greater) | None => break None,
            }
        };
        resources.push((id, shape, Some(entry)));
    }
    resources.extend(left.map(|(id, shape)| (id, Some(shape), None)));
    resources
}
