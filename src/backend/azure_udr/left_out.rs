//! What a build without the feature `azure` has in place of the connection to Azure.

use std::sync::Arc;

use super::AzureSite;
use crate::backend::operator::{Key, Operator};
use crate::backend::{Site, SourceNodes};
use crate::report::Finding;
use crate::resource::{Kind, Name, Refusal};
use crate::transport::BoxFuture;

pub(super) const HELP: &str = "";
pub(super) const KEYS: &[Key] = &[];
pub(super) const KINDS: &[&Kind] = &[];

/// Azure as the records say. There is no connection.
pub(super) fn connect(operator: Option<&Operator>) -> Result<Arc<dyn Site>, Refusal> {
    match operator {
        None => Ok(Arc::new(AzureSite::new(None))),
        Some(_) => {
            Err(Refusal::new("This topo was built without the feature `azure`.")
                .hint("Use a topo that was built with it."))
        }
    }
}

/// Refuses to read machines.
pub(super) fn read<'a>(
    _: &'a str,
    _: &'a Name,
    _: &'a Operator,
    _: &'a mut Vec<Finding>,
) -> BoxFuture<'a, Result<SourceNodes, Refusal>> {
    let refusal = Refusal::new("This topo was built without Azure, so it cannot read machines there.")
        .hint("Use a topo that was built with the feature `azure`, or give a machines.txt.");
    Box::pin(std::future::ready(Err(refusal)))
}
