//! The questions to a node before topo can plan its file.

use std::collections::BTreeSet;
use std::net::IpAddr;

use super::Attributes;
use crate::backend::ssh_static;
use crate::exchange::node::{FileInquiry, Work};
use crate::network::Memo;
use crate::resource::{Record, Shape};

/// The file and what it depends on, with the recorded token, so that an unchanged node gives a short answer. If routes
/// belong only to the file, also the routing table.
pub(super) fn inquire(name: &str, wanted: Option<&Shape>, record: Option<&Record>, memo: &mut Memo) -> Vec<Work> {
    let recorded = record.and_then(|record| record.shapes().next());
    let Some(shape) = wanted.or(recorded) else { return Vec::new() };
    let attributes = Attributes::of(shape);
    let settled = match record {
        Some(Record::Settled { is, token: Some(token) }) => Some((is, token)),
        _ => None,
    };
    let same = |is: &Shape| {
        let routes = (is.routes.as_ref(), wanted.and_then(|wanted| wanted.routes.as_ref()));
        let equal = matches!(routes, (Some(from), Some(to)) if from.is_same(to, &mut *memo));
        equal && wanted.is_some_and(|wanted| Attributes::fits(&wanted.attributes, &is.attributes))
    };
    let file_token = settled.map(|(_, token)| token.split().1);
    let unchanged = settled.map(|(is, _)| is).is_some_and(same);
    // Before a write, look at everything again.
    let known = file_token.filter(|_| unchanged);
    let next_hops = if unchanged || attributes.interface.is_some() {
        Vec::new()
    } else {
        next_hops(wanted, settled.map(|(is, _)| is))
    };
    let inquiry = FileInquiry { form: attributes.form(), name: name.to_owned(), next_hops, known };
    let mut works = vec![Work::Inspect(inquiry)];
    if attributes.alone {
        let record = record.map(with_table_token);
        works.extend(ssh_static::inquire(wanted, record.as_ref(), memo));
    }
    works
}

/// Wanted next hops without a device in the record.
fn next_hops(wanted: Option<&Shape>, is: Option<&Shape>) -> Vec<IpAddr> {
    let hops = |shape: Option<&Shape>| -> BTreeSet<IpAddr> {
        let routes = shape.and_then(|shape| shape.routes.as_ref());
        routes.into_iter().flat_map(|set| set.routes().map(|route| route.next_hop)).collect()
    };
    let has_links =
        |shape: &&Shape| shape.attributes.get("links").is_some() && shape.attributes.get("interface").is_none();
    let known = hops(is.filter(has_links));
    hops(wanted).difference(&known).copied().collect()
}

/// The record of a file, with only the routing table's part of its token.
fn with_table_token(record: &Record) -> Record {
    match record {
        Record::Settled { is, token } => {
            Record::Settled { is: is.clone(), token: token.as_ref().and_then(|token| token.split().0) }
        }
        other => other.clone(),
    }
}
