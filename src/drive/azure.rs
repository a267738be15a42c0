//! Looks at Azure: tables and subnets, and more only where they are not as wanted.

use std::collections::HashMap;
use std::pin::Pin;
use std::sync::Arc;

use tokio::task::{Id, JoinError, JoinSet};

use crate::backend::azure_udr::{
    LiveInterface, LiveInterfaces, LiveNetwork, LiveSubnet, LiveTable, Questions, Recorded, Seen, Wanted, key, name_of,
    questions,
};
use crate::exchange::arm::AzureError;
use crate::plan::Options;
use crate::transport::azure::Azure;

/// More rounds of questions than there are kinds.
const ROUNDS: u32 = 6;
/// The name of the limit of routes in a table (Azure's usages).
const ROUTES_LIMIT: &str = "RoutesPerRouteTable";

/// What was answered to one question.
type Put = Box<dyn FnOnce(&mut Seen) + Send>;

/// A question, and what stands for its answer where it panics: that it was not read, not that nothing is there.
struct Question {
    asking: Pin<Box<dyn Future<Output = Put> + Send>>,
    lost: Put,
}

impl Question {
    fn new(lost: impl FnOnce(&mut Seen) + Send + 'static, asking: impl Future<Output = Put> + Send + 'static) -> Self {
        Self { asking: Box::pin(asking), lost: Box::new(lost) }
    }
}

/// What is said where a question panics.
fn lost(what: &str, id: &str) -> String {
    format!("The {what} {} was not read, by a mistake in topo. Run topo again.", name_of(id))
}

/// Asks Azure what the plan needs. At most `parallelism` questions are under way at once.
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
    let text = |error: AzureError| error.text;
    for id in tables {
        let (azure, of) = (Arc::clone(azure), id.clone());
        let lost = move |seen: &mut Seen| _ = seen.tables.insert(key(&of), Err(lost("route table", &of)));
        waiting.push(Question::new(lost, async move {
            let answer = azure.table(&id).await.map(|found| found.map(LiveTable::of)).map_err(text);
            Box::new(move |seen: &mut Seen| _ = seen.tables.insert(key(&id), answer)) as Put
        }));
    }
    for id in subnets {
        let (azure, of) = (Arc::clone(azure), id.clone());
        let lost = move |seen: &mut Seen| _ = seen.subnets.insert(key(&of), Err(lost("subnet", &of)));
        waiting.push(Question::new(lost, async move {
            let answer = azure.subnet(&id).await.map(|found| found.map(LiveSubnet::of)).map_err(text);
            Box::new(move |seen: &mut Seen| _ = seen.subnets.insert(key(&id), answer)) as Put
        }));
    }
    for id in networks {
        let (azure, of) = (Arc::clone(azure), id.clone());
        let lost = move |seen: &mut Seen| _ = seen.networks.insert(key(&of), Err(lost("virtual network", &of)));
        waiting.push(Question::new(lost, async move {
            let answer = azure.network(&id).await.map(|found| found.map(|found| LiveNetwork::of(&found))).map_err(text);
            Box::new(move |seen: &mut Seen| _ = seen.networks.insert(key(&id), answer)) as Put
        }));
    }
    for id in forwardings {
        let (azure, of) = (Arc::clone(azure), id.clone());
        let lost = move |seen: &mut Seen| _ = seen.forwardings.insert(key(&of), Err(lost("network interface", &of)));
        waiting.push(Question::new(lost, async move {
            let answer =
                azure.interface(&id).await.map(|found| found.map(|found| LiveInterface::of(&found))).map_err(text);
            Box::new(move |seen: &mut Seen| _ = seen.forwardings.insert(key(&id), answer)) as Put
        }));
    }
    for (subscription, location) in limits {
        let (azure, of) = (Arc::clone(azure), (subscription.clone(), location.clone()));
        let lost = move |seen: &mut Seen| _ = seen.limits.insert(of, None);
        waiting.push(Question::new(lost, async move {
            let usages = azure.usages(&subscription, &location).await.unwrap_or_default();
            let limit = usages.iter().find(|usage| usage["name"]["value"].as_str() == Some(ROUTES_LIMIT));
            let limit = limit.and_then(|usage| usage["limit"].as_u64());
            Box::new(move |seen: &mut Seen| _ = seen.limits.insert((subscription, location), limit)) as Put
        }));
    }
    for id in interfaces {
        let (azure, of) = (Arc::clone(azure), id.clone());
        let lost = move |seen: &mut Seen| {
            let unread = vec![lost("network interfaces of the virtual network", &of)];
            seen.interfaces.insert(key(&of), LiveInterfaces { found: Vec::new(), unread });
        };
        let places = seen.networks.get(&key(&id)).and_then(|answer| answer.as_ref().ok()?.as_ref());
        let (groups, sets) = places.map(LiveNetwork::interface_places).unwrap_or_default();
        waiting.push(Question::new(lost, async move {
            let (mut all, mut unread) = (Vec::new(), Vec::new());
            for (subscription, group) in groups {
                match azure.interfaces(&subscription, &group).await {
                    Ok(found) => all.extend(found),
                    Err(error) => unread.push(error.text),
                }
            }
            for set in sets {
                match azure.scale_set_interfaces(&set).await {
                    Ok(found) => all.extend(found),
                    Err(error) => unread.push(error.text),
                }
            }
            let answer = LiveInterfaces { found: all.iter().map(LiveInterface::of).collect(), unread };
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
