//! How changes and records of zones are told.

use topo::network::Prefix;
use topo::resource::words::{Heading, NamedRow, Recorded, Words, removed};
use topo::resource::{Action, Reason, Shape};

use super::compare::routes_in;

pub(super) struct ZoneWords;

pub(super) struct RouteWords;

impl Words for ZoneWords {
    fn heading(&self, told: &Heading<'_>) -> String {
        let zone = told.places;
        match (told.action, told.reason) {
            (Action::Import, _) => format!("the zone {zone} is already as wanted"),
            (Action::Change, Reason::Altered(_)) => format!("the zone {zone} is put back: somebody changed it"),
            (Action::Remove, reason) => format!("the zone {zone} goes {}", removed(reason)),
            (Action::Add, _) => format!("the zone {zone} is made"),
            _ => format!("the zone {zone} changes"),
        }
    }

    fn recorded(&self, shape: &Shape) -> Option<Recorded> {
        let label = shape.attributes["label"].as_str()?;
        Some(Recorded { text: "a zone".to_owned(), fields: vec![("label", label.to_owned())] })
    }
}

impl Words for RouteWords {
    fn recorded(&self, shape: &Shape) -> Option<Recorded> {
        Some(Recorded { text: format!("{} routes of a zone", routes_in(shape).len()), fields: Vec::new() })
    }

    fn named_rows(&self, shape: &Shape) -> Option<Vec<NamedRow>> {
        let row = |(destination, hop): (Prefix, std::net::IpAddr)| NamedRow {
            destination,
            name: destination.to_string().into(),
            next_hop: hop.to_string(),
        };
        Some(routes_in(shape).into_iter().map(row).collect())
    }

    fn leave_out(&self, shape: &mut Shape, is_left_out: &dyn Fn(&str) -> bool) {
        let routes = shape.attributes.make_mut().and_then(|attributes| attributes["routes"].as_object_mut());
        if let Some(routes) = routes {
            routes.retain(|destination, _| !is_left_out(destination));
        }
    }
}
