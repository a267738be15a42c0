//! Looks at Azure: first at tables and subnets, and at more only if they are not as wanted.

use std::collections::HashMap;
use std::pin::Pin;
use std::sync::Arc;

use tokio::task::{Id, JoinError, JoinSet};

use crate::backend::azure_udr::{
    LiveInterfaces, Questions, Recorded, Seen, Wanted, interface_seen, key, limit_seen, name_of, network_seen,
    questions, subnet_seen, table_seen,
};
use crate::exchange::arm::{AzureError, Document};
use crate::plan::Options;
use crate::resource::{Evidence, Why};
use crate::transport::azure::{Azure, ResourceType};

/// More rounds of questions than there are kinds of questions.
const ROUNDS: u32 = 6;

/// The answer to one question.
type Put = Box<dyn FnOnce(&mut Seen) + Send>;

/// A question, and the answer to use if it panics: "not read", never "does not exist".
struct Question {
    asking: Pin<Box<dyn Future<Output = Put> + Send>>,
    lost: Put,
}

impl Question {
    fn new(lost: impl FnOnce(&mut Seen) + Send + 'static, asking: impl Future<Output = Put> + Send + 'static) -> Self {
        Self { asking: Box::pin(asking), lost: Box::new(lost) }
    }
}

/// What is known where a question panics: nothing.
fn lost<T>(what: &str, id: &str) -> Evidence<T> {
    Evidence::Unknown(Why::Failed(unread(what, id)))
}

fn unread(what: &str, id: &str) -> String {
    format!("topo did not read the {what} {}, because of a mistake in topo. Run topo again.", name_of(id))
}

/// Asks Azure what the plan needs. At most `parallelism` questions run at the same time.
pub async fn observe_azure(
    wanted: &[Wanted],
    recorded: &Recorded,
    options: &Options,
    azure: &Arc<dyn Azure>,
    parallelism: usize,
) -> Seen {
    let mut seen = Seen::default();
    for _ in 0..ROUNDS {
        let asked = questions(wanted, recorded, options, &seen);
        if asked.is_empty() {
            break;
        }
        ask(asked, &mut seen, azure, parallelism).await;
    }
    seen
}

async fn ask(questions: Questions, seen: &mut Seen, azure: &Arc<dyn Azure>, parallelism: usize) {
    let Questions { tables, subnets, networks, limits, interfaces, forwardings } = questions;
    let mut running: JoinSet<Put> = JoinSet::new();
    let mut waiting: Vec<Question> = Vec::new();
    let mut unanswered: HashMap<Id, Put> = HashMap::new();
    for id in tables {
        let (azure, of) = (Arc::clone(azure), id.clone());
        let lost = move |seen: &mut Seen| _ = seen.tables.insert(key(&of), lost("route table", &of));
        waiting.push(Question::new(lost, async move {
            let answer = table_seen(&id, azure.get(ResourceType::Table, &id).await);
            Box::new(move |seen: &mut Seen| _ = seen.tables.insert(key(&id), answer)) as Put
        }));
    }
    for id in subnets {
        let (azure, of) = (Arc::clone(azure), id.clone());
        let lost = move |seen: &mut Seen| _ = seen.subnets.insert(key(&of), lost("subnet", &of));
        waiting.push(Question::new(lost, async move {
            let answer = subnet_seen(&id, azure.get(ResourceType::Subnet, &id).await);
            Box::new(move |seen: &mut Seen| _ = seen.subnets.insert(key(&id), answer)) as Put
        }));
    }
    for id in networks {
        let (azure, of) = (Arc::clone(azure), id.clone());
        let lost = move |seen: &mut Seen| _ = seen.networks.insert(key(&of), lost("virtual network", &of));
        waiting.push(Question::new(lost, async move {
            let answer = network_seen(&id, azure.get(ResourceType::Network, &id).await);
            Box::new(move |seen: &mut Seen| _ = seen.networks.insert(key(&id), answer)) as Put
        }));
    }
    for id in forwardings {
        let (azure, of) = (Arc::clone(azure), id.clone());
        let lost = move |seen: &mut Seen| _ = seen.forwardings.insert(key(&of), lost("network interface", &of));
        waiting.push(Question::new(lost, async move {
            let answer = interface_seen(&id, azure.get(ResourceType::Interface, &id).await).map(|(live, _)| live);
            Box::new(move |seen: &mut Seen| _ = seen.forwardings.insert(key(&id), answer)) as Put
        }));
    }
    for (subscription, location) in limits {
        let (azure, of) = (Arc::clone(azure), (subscription.clone(), location.clone()));
        let lost = move |seen: &mut Seen| _ = seen.limits.insert(of, lost("limit of routes in", "a route table"));
        waiting.push(Question::new(lost, async move {
            let limit = limit_seen(azure.usages(&subscription, &location).await);
            Box::new(move |seen: &mut Seen| _ = seen.limits.insert((subscription, location), limit)) as Put
        }));
    }
    for id in interfaces {
        let (azure, of) = (Arc::clone(azure), id.clone());
        let lost = move |seen: &mut Seen| {
            let unread = vec![unread("network interfaces of the virtual network", &of)];
            seen.interfaces.insert(key(&of), LiveInterfaces { found: Vec::new(), unread });
        };
        let (groups, sets) = match seen.networks.get(&key(&id)) {
            Some(Evidence::Seen(network)) => network.interface_places(),
            // Only networks that were seen are asked about.
            Some(Evidence::Absent | Evidence::Unknown(_)) | None => continue,
        };
        waiting.push(Question::new(lost, async move {
            let mut answer = LiveInterfaces::default();
            for (subscription, group) in groups {
                take(&mut answer, azure.interfaces(&subscription, &group).await);
            }
            for set in sets {
                take(&mut answer, azure.scale_set_interfaces(&set).await);
            }
            Box::new(move |seen: &mut Seen| _ = seen.interfaces.insert(key(&id), answer)) as Put
        }));
    }
    let mut waiting = waiting.into_iter();
    loop {
        while running.len() < parallelism.max(1)
            && let Some(question) = waiting.next()
        {
            let task = running.spawn(question.asking);
            unanswered.insert(task.id(), question.lost);
        }
        let Some(ended) = running.join_next_with_id().await else { return };
        let lost = unanswered.remove(&ended.as_ref().map_or_else(JoinError::id, |(id, _)| *id));
        if let Some(put) = ended.ok().map(|(_, put)| put).or(lost) {
            put(seen);
        }
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
        match interface_seen(&id, Ok(Some(document))).known() {
            Ok(found) => interfaces.found.extend(found.map(|(live, _)| live)),
            Err(why) => interfaces.unread.push(why.to_string()),
        }
    }
}
