//! The requests of `azure_mgmt_network`: its models, its URLs and its `.send()`. Only this file names that crate.

use std::sync::Arc;

use azure_core::auth::{AccessToken, TokenCredential};
use azure_core::{ClientOptions, RetryOptions, TransportOptions};
use azure_mgmt_network::package_2024_03 as network;
use azure_mgmt_network::package_2024_03::models;
use futures::StreamExt as _;
use serde_json::Value;

use super::answer::Answer;
use super::resource_id::ResourceId;
use super::wire::{Extra, Gate, NoAnswer, Wire, carry};
use crate::transport::azure::ResourceType;

type Sent = Result<Answer, NoAnswer>;

/// The crate's client over topo's transport.
pub(super) struct Network(network::Client);

/// The crate asks for a token before it makes a request. It gets a worthless one; the wire adds the real one.
#[derive(Debug)]
struct NoToken;

#[async_trait::async_trait]
impl TokenCredential for NoToken {
    async fn get_token(&self, _scopes: &[&str]) -> azure_core::Result<AccessToken> {
        let timeless = std::time::SystemTime::UNIX_EPOCH.into();
        Ok(AccessToken::new("none", timeless))
    }

    async fn clear_cache(&self) -> azure_core::Result<()> {
        Ok(())
    }
}

impl Network {
    pub(super) fn new(wire: &Arc<Wire>) -> Self {
        let transport = TransportOptions::new_custom_policy(Arc::new(Gate(Arc::clone(wire))));
        // topo retries itself: the crate's retries know neither busy tables nor conditions.
        let options = ClientOptions::new(transport).retry(RetryOptions::none());
        Self(network::Client::new(wire.endpoint().clone(), Arc::new(NoToken), vec!["none".to_owned()], options))
    }

    /// GET of a resource of Microsoft.Network.
    pub(super) async fn get(&self, id: &ResourceId, extra: Extra) -> Sent {
        let part = id.encoded();
        let (group, subscription) = (&part.group, &part.subscription);
        match id.kind {
            ResourceType::Table => {
                carry(extra, self.0.route_tables_client().get(group, part.outer(), subscription).send()).await
            }
            ResourceType::Network => {
                carry(extra, self.0.virtual_networks_client().get(group, part.outer(), subscription).send()).await
            }
            ResourceType::Subnet => {
                let get = self.0.subnets_client().get(group, part.outer(), part.inner(), subscription);
                carry(extra, get.send()).await
            }
            ResourceType::Interface => {
                carry(extra, self.0.network_interfaces_client().get(group, part.outer(), subscription).send()).await
            }
            ResourceType::ScaleSet => Err(not_here()),
        }
    }

    /// PUT. Sends the body unchanged, in `extra`: the crate's models would drop fields that they do not know, and empty
    /// lists.
    pub(super) async fn put(&self, id: &ResourceId, extra: Extra) -> Sent {
        let part = id.encoded();
        let (group, subscription) = (&part.group, &part.subscription);
        match id.kind {
            ResourceType::Table => {
                let tables = self.0.route_tables_client();
                let put = tables.create_or_update(group, part.outer(), models::RouteTable::default(), subscription);
                carry(extra, put.send()).await
            }
            ResourceType::Subnet => {
                let (subnets, model) = (self.0.subnets_client(), models::Subnet::default());
                let put = subnets.create_or_update(group, part.outer(), part.inner(), model, subscription);
                carry(extra, put.send()).await
            }
            ResourceType::Interface => {
                let (interfaces, model) = (self.0.network_interfaces_client(), models::NetworkInterface::default());
                let put = interfaces.create_or_update(group, part.outer(), model, subscription);
                carry(extra, put.send()).await
            }
            ResourceType::Network | ResourceType::ScaleSet => Err(not_here()),
        }
    }

    pub(super) async fn delete_table(&self, id: &ResourceId, extra: Extra) -> Sent {
        let part = id.encoded();
        let delete = self.0.route_tables_client().delete(&part.group, part.outer(), &part.subscription);
        carry(extra, delete.send()).await
    }

    pub(super) async fn effective_routes(&self, id: &ResourceId, extra: Extra) -> Sent {
        let part = id.encoded();
        let interfaces = self.0.network_interfaces_client();
        let ask = interfaces.get_effective_route_table(&part.group, part.outer(), &part.subscription);
        carry(extra, ask.send()).await
    }

    /// The first page only; the crate would follow next links to any host.
    pub(super) async fn interfaces(&self, subscription: &str, group: &str, extra: Extra) -> Sent {
        let mut pages = self.0.network_interfaces_client().list(group, subscription).into_stream();
        carry(extra, pages.next()).await
    }

    /// The first page of the interfaces of all instances of a scale set.
    pub(super) async fn scale_set_interfaces(&self, id: &ResourceId, extra: Extra) -> Sent {
        let part = id.encoded();
        let interfaces = self.0.network_interfaces_client();
        let list =
            interfaces.list_virtual_machine_scale_set_network_interfaces(&part.group, part.outer(), &part.subscription);
        carry(extra, list.into_stream().next()).await
    }

    /// The first page.
    pub(super) async fn usages(&self, subscription: &str, location: &str, extra: Extra) -> Sent {
        let mut pages = self.0.usages_client().list(location, subscription).into_stream();
        carry(extra, pages.next()).await
    }
}

fn not_here() -> NoAnswer {
    NoAnswer::NotSent("topo has no such request".to_owned())
}

/// Whether the crate's model accepts a body as a route table. This checks the types of fields before topo sends
/// anything.
pub(super) fn is_table(body: &Value) -> serde_json::Result<()> {
    serde_json::from_value::<models::RouteTable>(body.clone()).map(|_| ())
}
