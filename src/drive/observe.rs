//! Looks at all places.

use std::collections::{BTreeSet, HashMap, VecDeque};
use std::sync::Arc;

use tokio::sync::mpsc;
use tokio::task::{Id, JoinError, JoinSet};

use super::tell;
use crate::backend::{Covered, Inputs, LOST, Question, Site};
use crate::network::Memo;
use crate::plan::Plan;
use crate::report::{Event, Timed};
use crate::resource::Place;

/// More rounds of questions than any site needs: answers lead to further questions.
pub(super) const ROUNDS: u32 = 6;

/// The questions of one site.
struct Asked<'a> {
    site: &'a Arc<dyn Site>,
    waiting: VecDeque<Question<'a>>,
    /// Number of questions on their way.
    running: usize,
    rounds: u32,
}

/// Asks all sites' questions. Sends no event if there are none, as without connections. At most `parallelism` questions of one site are on their way at the same time.
pub async fn observe<'a>(
    sites: &'a [Arc<dyn Site>],
    inputs: &Inputs<'a>,
    parallelism: usize,
    events: &mpsc::Sender<Timed>,
    memo: &mut Memo,
) {
    let mut all: Vec<Asked<'a>> = Vec::with_capacity(sites.len());
    for site in sites {
        let waiting = Arc::clone(site).ask(inputs, None, memo).into();
        all.push(Asked { site, waiting, running: 0, rounds: 1 });
    }
    let places: BTreeSet<&Place> = all.iter().flat_map(|one| &one.waiting).map(|question| &question.place).collect();
    if places.is_empty() {
        return;
    }
    tell(events, Event::ObserveStarted { places: places.len() });
    let mut tasks: JoinSet<Option<String>> = JoinSet::new();
    let mut asked: HashMap<Id, (usize, Place)> = HashMap::new();
    let mut told: BTreeSet<Place> = BTreeSet::new();
    loop {
        for (at, one) in all.iter_mut().enumerate() {
            if one.running == 0 && one.waiting.is_empty() && one.rounds < ROUNDS {
                one.waiting = Arc::clone(one.site).ask(inputs, None, memo).into();
                one.rounds = if one.waiting.is_empty() { ROUNDS } else { one.rounds + 1 };
            }
            while one.running < parallelism.max(1)
                && let Some(Question { place, pose }) = one.waiting.pop_front()
            {
                let task = tasks.spawn(pose(memo));
                asked.insert(task.id(), (at, place));
                one.running += 1;
            }
        }
        let Some(ended) = tasks.join_next_with_id().await else { return };
        let id = ended.as_ref().map_or_else(JoinError::id, |(id, _)| *id);
        let Some((at, place)) = asked.remove(&id) else { continue };
        all[at].running -= 1;
        // A question that panics has no answer.
        let error = ended.map_or_else(|_| Some(LOST.to_owned()), |(_, error)| error);
        if told.insert(place.clone()) || error.is_some() {
            tell(events, Event::Observed { place: place.name().into(), error });
        }
    }
}

/// Destinations to which the networks themselves route, as far as their sites know.
pub fn covered(sites: &[Arc<dyn Site>], inputs: &Inputs<'_>) -> Covered {
    Covered(sites.iter().flat_map(|site| site.covered(inputs).0).collect())
}

/// Makes the plan from what the sites saw.
pub fn plan(sites: &[Arc<dyn Site>], inputs: &Inputs<'_>, memo: &mut Memo) -> Plan {
    let mut plan = Plan::default();
    for site in sites {
        site.plan(inputs, &mut plan, memo);
    }
    plan
}
