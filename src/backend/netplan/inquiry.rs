//! The questions to a node before topo can plan its file.

use std::collections::BTreeSet;
use std::net::IpAddr;

use crate::resource::{Record, Shape};

/// Wanted next hops without a device in the record.
pub(super) fn next_hops(wanted: Option<&Shape>, is: Option<&Shape>) -> Vec<IpAddr> {
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
pub(super) fn with_table_token(record: &Record) -> Record {
    match record {
        Record::Settled { is, token } => {
            Record::Settled { is: is.clone(), token: token.as_ref().and_then(|token| token.split().0) }
        }
        other => other.clone(),
    }
}
