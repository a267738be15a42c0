//! The questions to Azure on their way, and the answers. A question that panics leaves "not read", never "does not exist".

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use super::connection::AzureSite;
use super::{
    ARM, LiveInterfaces, Questions, Recorded, Seen, Wanted, forwarding_seen, key, limit_seen, name_of, network_seen,
    questions, subnet_seen, table_seen,
};
use crate::backend::{Inputs, Question};
use crate::exchange::arm::{AzureError, Document};
use crate::resource::{Evidence, Place, Why};
use crate::transport::azure::{Azure, ResourceType};

/// What is asked.
struct About {
    kind: ResourceType,
    /// Its type in sentences.
    what: &'static str,
    id: String,
    /// Whether the record says that it is there.
    is_recorded: bool,
}

/// The answers about the resources of one type.
type Answers<T> = fn(&mut Seen) -> &mut BTreeMap<String, Evidence<T>>;
/// Reads what Azure says of the resource with an id.
type Read<T> = fn(&str, Result<Option<Document>, AzureError>) -> Evidence<T>;

/// What is known where a question panics: nothing.
fn lost<T>(what: &str, id: &str) -> Evidence<T> {
    Evidence::Unknown(Why::Failed(unread(what, id)))
}

fn unread(what: &str, id: &str) -> String {
    format!("topo did not read the {what} {}, because of a mistake in topo. Run topo again.", name_of(id))
}

/// Why there is no answer.
pub(super) fn error_of<T>(answer: &Evidence<T>) -> Option<String> {
    answer.as_ref().known().err().map(|why| why.to_string())
}

/// How long topo waits before it asks again about a resource that is said to be gone.
const PAUSE: Duration = Duration::from_secs(1);

/// Reads a resource. Azure's reads agree with its writes only after a while, so topo asks twice before it believes that there is none.
/// `is_recorded`: the record says that it is there, so topo gives Azure some time in between.
pub(super) async fn get(
    azure: &dyn Azure,
    kind: ResourceType,
    id: &str,
    is_recorded: bool,
) -> Result<Option<Document>, AzureError> {
    if let Some(document) = azure.get(kind, id).await? {
        return Ok(Some(document));
    }
    if is_recorded {
        tokio::time::sleep(PAUSE).await;
    }
    azure.get(kind, id).await
}

fn place(id: &str) -> Place {
    Place::new(&ARM, id)
}

impl AzureSite {
    /// The next questions, given the answers so far.
    pub(super) fn next<'a>(self: &Arc<Self>, inputs: &Inputs<'_>, azure: &Arc<dyn Azure>) -> Vec<Question<'a>> {
        let wanted = Wanted::all(inputs.desired);
        let mut looked = self.weighed();
        let seen = looked.get_or_insert_default();
        let recorded = Recorded::of(inputs.recorded);
        let asked = questions(&wanted, &recorded, inputs.options, seen);
        let Questions { tables, subnets, networks, limits, interfaces, forwardings } = asked;
        let mut all = Vec::new();
        for id in tables {
            let one =
                About { kind: ResourceType::Table, what: "route table", is_recorded: recorded.has_table(&id), id };
            all.push(self.get(azure, one, table_seen, |seen| &mut seen.tables));
        }
        for id in subnets {
            let one = About { kind: ResourceType::Subnet, what: "subnet", is_recorded: recorded.has_subnet(&id), id };
            all.push(self.get(azure, one, subnet_seen, |seen| &mut seen.subnets));
        }
        for id in networks {
            let one = About { kind: ResourceType::Network, what: "virtual network", is_recorded: false, id };
            all.push(self.get(azure, one, network_seen, |seen| &mut seen.networks));
        }
        for id in forwardings {
            let one = About { kind: ResourceType::Interface, what: "network interface", is_recorded: true, id };
            all.push(self.get(azure, one, forwarding_seen, |seen| &mut seen.forwardings));
        }
        for (subscription, location) in limits {
            let settings = wanted.iter().map(|wanted| &wanted.settings);
            let mut settings = settings.filter(|one| one.subscription == subscription && one.location == location);
            let table = settings.next().map_or_else(|| subscription.clone(), super::Settings::table_id);
            all.push(self.ask_limit(azure, &table, subscription, location));
        }
        for id in interfaces {
            // Only networks that were seen are asked about.
            if let Some(Evidence::Seen(network)) = seen.networks.get(&key(&id)) {
                all.push(self.ask_interfaces(azure, id, network.interface_places()));
            }
        }
        all
    }

    /// A question about one resource.
    fn get<'a, T: Send + 'static>(
        self: &Arc<Self>,
        azure: &Arc<dyn Azure>,
        About { kind, what, id, is_recorded }: About,
        read: Read<T>,
        answers: Answers<T>,
    ) -> Question<'a> {
        let (site, azure) = (Arc::clone(self), Arc::clone(azure));
        let note = move |id: &str, answer| {
            let error = error_of(&answer);
            answers(site.seen().get_or_insert_default()).insert(key(id), answer);
            error
        };
        // A subnet is a part of its network.
        let at = place(id.split_once("/subnets/").map_or(id.as_str(), |(network, _)| network));
        let pose = Box::new(move |_: &mut _| {
            note(&id, lost(what, &id));
            Box::pin(async move {
                // What nobody has recorded and nobody has made is the usual case. A step asks twice before it creates it.
                let answer = if is_recorded { get(&*azure, kind, &id, true).await } else { azure.get(kind, &id).await };
                note(&id, read(&id, answer))
            }) as _
        });
        Question { place: at, pose }
    }

    fn ask_limit<'a>(
        self: &Arc<Self>,
        azure: &Arc<dyn Azure>,
        table: &str,
        subscription: String,
        location: String,
    ) -> Question<'a> {
        let (site, azure) = (Arc::clone(self), Arc::clone(azure));
        let of = (subscription, location);
        let pose = Box::new(move |_: &mut _| {
            let note = move |of: &(String, String), answer| {
                let error = error_of(&answer);
                site.seen().get_or_insert_default().limits.insert(of.clone(), answer);
                error
            };
            note(&of, lost("limit of routes in", "a route table"));
            Box::pin(async move { note(&of, limit_seen(azure.usages(&of.0, &of.1).await)) }) as _
        });
        Question { place: place(table), pose }
    }

    /// A question about all network interfaces of a virtual network: in resource groups, and in scale sets.
    fn ask_interfaces<'a>(
        self: &Arc<Self>,
        azure: &Arc<dyn Azure>,
        id: String,
        (groups, sets): (Vec<(String, String)>, Vec<String>),
    ) -> Question<'a> {
        let (site, azure) = (Arc::clone(self), Arc::clone(azure));
        let at = place(&id);
        let pose = Box::new(move |_: &mut _| {
            let note = move |id: &str, answer: LiveInterfaces| {
                let error = answer.unread.first().cloned();
                site.seen().get_or_insert_default().interfaces.insert(key(id), answer);
                error
            };
            let unread = vec![unread("network interfaces of the virtual network", &id)];
            note(&id, LiveInterfaces { found: Vec::new(), unread });
            Box::pin(async move {
                let mut answer = LiveInterfaces::default();
                for (subscription, group) in groups {
                    take(&mut answer, azure.interfaces(&subscription, &group).await);
                }
                for set in sets {
                    take(&mut answer, azure.scale_set_interfaces(&set).await);
                }
                note(&id, answer)
            }) as _
        });
        Question { place: at, pose }
    }
}

/// Takes in a list of network interfaces; those that cannot be read are unread.
fn take(interfaces: &mut LiveInterfaces, list: Result<Vec<Document>, AzureError>) {
    let documents = match list {
        Ok(documents) => documents,
        Err(error) => return interfaces.unread.push(error.text),
    };
    for document in documents {
        let id = document.body["id"].as_str().unwrap_or_default().to_owned();
        match forwarding_seen(&id, Ok(Some(document))).known() {
            Ok(found) => interfaces.found.extend(found),
            Err(why) => interfaces.unread.push(why.to_string()),
        }
    }
}
