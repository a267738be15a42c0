//! Kinds of places, each with its connection: how topo looks at such places, plans them, and carries out a step there.
//!
//! What resources of several backends in one place share has its home behind this trait: who the place is, one exchange for
//! all of them, the guard of a write. The drivers know no kind of place.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::{Covered, Desired};
use crate::exchange::Requests;
use crate::network::Memo;
use crate::plan::findings::UNSEEN;
use crate::plan::{Finding, Options, PlacePlan, Plan, Severity};
use crate::report::{Confirmation, RunOutcome};
use crate::resource::{Action, Name, Phase, Place, PlaceKind, Record, ResourceId};
use crate::state::{Outcome, State};
use crate::transport::BoxFuture;

/// What a plan is made from, besides what topo saw.
#[derive(Clone, Copy, Debug)]
pub struct Inputs<'a> {
    /// The topology's name.
    pub topology: &'a Name,
    /// What the topology asks for.
    pub desired: &'a Desired,
    /// What is recorded.
    pub recorded: &'a State,
    /// What the user chose.
    pub options: &'a Options,
}

/// What is said of a question that panicked.
pub const LOST: &str = "The look came to an unexpected end, because of a mistake in topo. Run topo again.";

/// Makes a question when its turn comes: some questions are long, and few are on their way at the same time.
pub type Pose<'a> = Box<dyn FnOnce(&mut Memo) -> BoxFuture<'static, Option<String>> + 'a>;

/// A question to a place. Until it is answered, the site counts the place as not looked at.
pub struct Question<'a> {
    /// The place.
    pub place: Place,
    /// Asks, and notes the answer in the site. The text says why topo could not look.
    pub pose: Pose<'a>,
}

/// Where a run is when a step starts or ends.
#[derive(Clone, Copy)]
pub struct Moment<'a> {
    /// What the plan was made from. The state is the one before the run.
    pub inputs: Inputs<'a>,
    /// The state as the run has written it before its first step.
    pub state: &'a State,
    /// The plan.
    pub plan: &'a Plan,
    /// The place of the step.
    pub place: &'a Place,
    /// The phase of the step.
    pub phase: Phase,
    /// Whether no later step follows in the place.
    pub is_last: bool,
    /// Nodes that get no more routes from any place, each with the reason.
    pub lost: &'a BTreeMap<Name, String>,
    /// Places where a step has failed.
    pub failed: &'a BTreeSet<Place>,
}

impl Moment<'_> {
    /// What is planned in the place.
    pub fn planned(&self) -> Option<&PlacePlan> {
        self.plan.places.get(self.place)
    }

    /// Whether an earlier run has left the place in doubt.
    pub fn was_in_doubt(&self) -> bool {
        let renamed = self.planned().and_then(|planned| planned.renamed_from.as_ref());
        let record = self.inputs.recorded.places.get(renamed.unwrap_or(self.place));
        record.is_some_and(|record| record.resources.values().any(Record::is_in_doubt))
    }
}

/// What came of a step.
#[derive(Clone, Debug, Default)]
pub struct StepEnd {
    /// Number of changes that are done, by action.
    pub done: BTreeMap<Action, usize>,
    /// Number of operations of the step that are done.
    pub operations: usize,
    /// Outcomes to record. A site may wait with them for the last step in a place.
    pub outcomes: Vec<(ResourceId, Outcome)>,
    /// Why not everything was done, in full sentences.
    pub failure: Option<String>,
    /// Whether the step may have written anything.
    pub touched: bool,
    /// Number of routes that the step skipped, by the node that they lead to.
    pub skipped: BTreeMap<Name, usize>,
    /// Nodes that can no longer receive what routes lead to them, each with the reason.
    pub lost: Vec<(Name, String)>,
    /// What else the user should know.
    pub warnings: Vec<String>,
}

impl StepEnd {
    /// A step that failed, with the reason in full sentences.
    pub fn failed(why: impl Into<String>) -> Self {
        Self { failure: Some(why.into()), ..Self::default() }
    }
}

/// A step that was started.
pub enum Begun {
    /// It has ended already.
    Ended(StepEnd),
    /// It goes on.
    Sent(BoxFuture<'static, StepEnd>),
}

/// Why the plan of a place that answers late does not hold there. The text is a part of a sentence.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LateError {
    /// Somebody else has what the plan wants.
    #[error("somebody else has {key} there: {found}")]
    Conflict {
        /// The row or the resource.
        key: String,
        /// What is there.
        found: String,
    },
    /// A part of the place could not be looked at, with the reason.
    #[error("topo could not look at all of it: {0}")]
    Unseen(String),
    /// A check before the first write finds an error.
    #[error("the checks before writing do not pass there")]
    Refused,
    /// Another machine answers than the recorded one.
    #[error("another machine answers there than the one on record")]
    Replaced,
    /// The plan would be another one than the reviewed one.
    #[error("it is not as it was recorded")]
    Changed,
}

/// A question to the network after the run: whether routes are in force.
pub struct Check {
    /// The answer if nobody waits for it.
    pub interrupted: Confirmation,
    /// Asks.
    pub asking: BoxFuture<'static, Confirmation>,
}

/// A kind of place with its connection, for the length of one command. It keeps what it saw.
pub trait Site: Send + Sync {
    /// The kind of its places.
    fn kind(&self) -> &'static PlaceKind;

    /// The next questions, given the answers so far; none if topo knows enough, or if there is no connection. `late` names a place
    /// that did not answer before the plan was made: only questions about this place are of interest now.
    fn ask<'a>(self: Arc<Self>, inputs: &Inputs<'a>, late: Option<&Place>, memo: &mut Memo) -> Vec<Question<'a>>;

    /// Why topo could not look at a place when it last asked.
    fn silence(&self, place: &Place) -> Option<String>;

    /// Forgets that a place did not answer, so that topo asks again.
    fn forget_silence(&self, place: &Place);

    /// Destinations to which the network itself routes.
    fn covered(&self, _inputs: &Inputs<'_>) -> Covered {
        Covered::default()
    }

    /// Adds its places to the plan. Without a look, topo takes the record for what is live.
    fn plan(&self, inputs: &Inputs<'_>, plan: &mut Plan, memo: &mut Memo);

    /// Plans a place anew that answers after the plan was made from its record. An error says why that plan does not hold there.
    fn replan(&self, inputs: &Inputs<'_>, place: &Place, plan: &mut Plan, memo: &mut Memo) -> Result<(), LateError>;

    /// Whether a place gets its later steps although one of its steps has failed.
    fn continues_after_failure(&self) -> bool {
        false
    }

    /// Starts a step; none if there is nothing to do.
    fn step(self: Arc<Self>, moment: &Moment<'_>, memo: &mut Memo) -> Option<Begun>;

    /// Completes what came of a step with what follows for the records.
    fn settle(&self, _moment: &Moment<'_>, _end: &mut StepEnd) {}

    /// What follows for the records and for other places if a step did not start, or if nobody knows how far it came (`touched`).
    fn unfinished(&self, moment: &Moment<'_>, touched: bool) -> StepEnd;

    /// Places whose live routes should survive reboots, but do not yet.
    fn not_persistent(&self, _plan: &Plan) -> Vec<Place> {
        Vec::new()
    }

    /// Whether the new routes are in force, as far as the network says it.
    fn confirm(&self, _plan: &Plan, _outcome: &RunOutcome) -> Vec<Check> {
        Vec::new()
    }

    /// How many requests topo has sent, if the site counts them.
    fn requests(&self) -> Option<Requests> {
        None
    }

    /// Ends all sessions.
    fn close(&self) -> BoxFuture<'_, ()> {
        Box::pin(std::future::ready(()))
    }
}

/// Whether a plan that was made anew for a place that answers late holds. An error says why it does not.
pub fn check_late(fresh: &Plan, place: &Place) -> Result<(), LateError> {
    let findings = || fresh.findings.iter().filter(|finding| finding.place() == place);
    let found = |finding: &Finding| finding.found.clone().unwrap_or_default();
    if let Some(conflict) = findings().find(|finding| finding.severity == Severity::Conflict) {
        let key = conflict.address.key.as_deref().unwrap_or_default();
        return Err(LateError::Conflict { key: key.to_owned(), found: found(conflict) });
    }
    if let Some(unseen) = findings().find(|finding| finding.code == UNSEEN) {
        return Err(LateError::Unseen(found(unseen)));
    }
    if findings().any(Finding::stops) {
        return Err(LateError::Refused);
    }
    Ok(())
}

/// Takes what was planned anew for a place.
pub fn take_late(mut fresh: Plan, place: &Place, plan: &mut Plan) {
    if let Some(planned) = fresh.places.remove(place) {
        plan.places.insert(place.clone(), planned);
    } else if let Some(planned) = plan.places.get_mut(place) {
        planned.resources.clear();
        planned.unseen = None;
    }
}
