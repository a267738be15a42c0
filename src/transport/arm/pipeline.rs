//! Retries, one write at a time, and what became of a write whose answer was lost.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use serde_json::Value;
use tokio::sync::OwnedMutexGuard;
use tokio::time::Instant;

use super::answer::Answer;
use super::error::{About, ArmError};
use super::wire::{Extra, NoAnswer, Wire};

/// How often a request is sent again after a connection broke or a server stumbled.
const TRIES: u32 = 4;
/// The least time between two requests for one thing, where Azure says 0.
pub(super) const LEAST_PAUSE: Duration = Duration::from_millis(50);

/// Why a request came to nothing.
pub(super) enum Trouble {
    /// It was not carried out, or it does not matter.
    Plain(ArmError),
    /// It may have been carried out, and must not be sent again without a look: its condition would be hurt by its own effect.
    Unsure(ArmError),
}

impl From<Trouble> for ArmError {
    fn from(trouble: Trouble) -> Self {
        match trouble {
            Trouble::Plain(error) | Trouble::Unsure(error) => error,
        }
    }
}

/// What all requests go through.
#[derive(Debug)]
pub(super) struct Pipeline {
    pub(super) wire: Arc<Wire>,
    pub(super) limit: Duration,
    locks: Mutex<HashMap<String, Arc<tokio::sync::Mutex<()>>>>,
}

impl Pipeline {
    pub(super) fn new(wire: Arc<Wire>, limit: Duration) -> Self {
        Self { wire, limit, locks: Mutex::new(HashMap::new()) }
    }

    /// Waits until nobody else writes to these. Azure answers two writes at once with 429 or 409, or drops the earlier one.
    pub(super) async fn lock(&self, mut keys: Vec<String>) -> Vec<OwnedMutexGuard<()>> {
        keys.sort_unstable();
        keys.dedup();
        let mut held = Vec::new();
        for key in keys {
            let lock = Arc::clone(self.locks.lock().unwrap_or_else(PoisonError::into_inner).entry(key).or_default());
            held.push(lock.lock_owned().await);
        }
        held
    }

    /// Sends a request, again where that is of use, and gives back the first answer that is to the point: a success or a refusal.
    ///
    /// All that is sent here may be sent twice: GET, PUT and DELETE are idempotent, and the questions asked with POST change nothing.
    /// A 412 is an answer. A write whose answer was lost is not sent again without a look, see [`Trouble::Unsure`]; nor is one without
    /// a condition while somebody else writes, for it would replace what that one leaves.
    pub(super) async fn ask<F>(
        &self,
        about: &About,
        extra: &Extra,
        deadline: Instant,
        send: impl Fn(Extra) -> F,
    ) -> Result<Answer, Trouble>
    where
        F: Future<Output = Result<Answer, NoAnswer>>,
    {
        let (mut stumbles, mut waits, mut renewed) = (0, 0, false);
        loop {
            let (pause, last) = match send(extra.clone()).await {
                Ok(answer) if answer.status == 401 && !renewed => {
                    renewed = true;
                    self.wire.forget_token().await;
                    continue;
                }
                Ok(answer) if answer.is_other_write() && about.is_write() && extra.if_match.is_none() => {
                    return Err(Trouble::Unsure(about.refused(&answer)));
                }
                Ok(answer) if answer.is_busy() => {
                    waits += 1;
                    (answer.retry_after().unwrap_or_else(|| backoff(waits)), Ok(answer))
                }
                Ok(answer) if answer.stumbled() => {
                    if about.is_write() {
                        return Err(Trouble::Unsure(about.unexpected(&answer)));
                    }
                    stumbles += 1;
                    if stumbles >= TRIES {
                        return Ok(answer);
                    }
                    (answer.retry_after().unwrap_or_else(|| backoff(stumbles)), Ok(answer))
                }
                Ok(answer) => return Ok(answer),
                Err(NoAnswer::SignIn(reason)) => return Err(Trouble::Plain(about.sign_in(&reason, None))),
                Err(NoAnswer::Elsewhere(link)) => {
                    return Err(Trouble::Plain(about.elsewhere(&link, &self.wire.origin(), None)));
                }
                Err(NoAnswer::TooLong) => {
                    let why = "the answer is longer than 64 MiB. Check who answers at the endpoint.";
                    return Err(Trouble::Plain(about.odd(why, None)));
                }
                Err(NoAnswer::NotSent(reason)) => {
                    stumbles += 1;
                    let error = about.unreachable(&self.wire.origin(), &reason, false);
                    if stumbles >= TRIES {
                        return Err(Trouble::Plain(error));
                    }
                    (backoff(stumbles) / 2, Err(error))
                }
                Err(NoAnswer::Lost(reason)) => {
                    let error = about.unreachable(&self.wire.origin(), &reason, true);
                    if about.is_write() {
                        return Err(Trouble::Unsure(error));
                    }
                    stumbles += 1;
                    if stumbles >= TRIES {
                        return Err(Trouble::Plain(error));
                    }
                    (backoff(stumbles) / 2, Err(error))
                }
            };
            let pause = pause.max(LEAST_PAUSE);
            if pause > deadline.saturating_duration_since(Instant::now()) {
                return last.map_err(Trouble::Plain);
            }
            tokio::time::sleep(pause).await;
        }
    }
}

/// The time before another try where Azure names none: 1, 2, 4, 8, then 15 seconds.
pub(super) fn backoff(tries: u32) -> Duration {
    Duration::from_secs([1, 2, 4, 8].get(tries.saturating_sub(1) as usize).copied().unwrap_or(15))
}

/// Whether what is there is what was sent: everything that was sent stands there, whatever Azure has added. Versions and states are
/// Azure's own; identifiers are compared without case; an empty list is as good as none.
pub(super) fn holds(there: &Value, sent: &Value) -> bool {
    match (there, sent) {
        (there, Value::Null) => there.is_null(),
        (Value::Null, Value::Array(sent)) => sent.is_empty(),
        (Value::Object(there), Value::Object(sent)) => sent
            .iter()
            .filter(|(name, _)| !matches!(name.as_str(), "etag" | "provisioningState" | "resourceGuid"))
            .all(|(name, sent)| holds(there.get(name).unwrap_or(&Value::Null), sent)),
        (Value::Array(there), Value::Array(sent)) => {
            there.len() == sent.len()
                && sent.iter().enumerate().all(|(position, sent)| {
                    let name = sent.get("name").and_then(Value::as_str);
                    let named = name.and_then(|name| {
                        there.iter().find(|it| it["name"].as_str().is_some_and(|it| it.eq_ignore_ascii_case(name)))
                    });
                    holds(named.unwrap_or(&there[position]), sent)
                })
        }
        (Value::String(there), Value::String(sent)) => there.eq_ignore_ascii_case(sent),
        (there, sent) => there == sent,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::holds;

    #[test]
    fn what_was_sent_is_found_again() {
        let there = json!({ "etag": "2", "a": { "id": "/X" }, "list": [{ "name": "r2", "b": 2 }, { "name": "r1", "b": 1, "c": 3 }] });
        assert!(holds(&there, &json!({ "etag": "1", "a": { "id": "/x" }, "none": [], "nil": null })));
        assert!(holds(&there, &json!({ "list": [{ "name": "r1", "b": 1 }, { "name": "R2", "b": 2 }] })));
        for other in [
            json!({ "a": { "id": "/y" } }),
            json!({ "list": [{ "name": "r1", "b": 1 }] }),
            json!({ "list": [] }),
            json!({ "list": [{ "name": "r1", "b": 2 }, { "name": "r2", "b": 2 }] }),
            json!({ "new": 1 }),
            json!({ "a": null }),
        ] {
            assert!(!holds(&there, &other), "{other}");
        }
    }
}
