//! Retries, one write at a time, and the outcome of a write whose answer was lost.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use serde_json::Value;
use tokio::sync::OwnedMutexGuard;
use tokio::time::Instant;

use super::answer::Answer;
use super::error::{About, ArmError};
use super::wire::{Extra, NoAnswer, Wire};

/// How often topo sends a request again after a broken connection or a server error.
const TRIES: u32 = 4;
/// The shortest time between two requests for the same thing, if Azure says 0.
pub(super) const LEAST_PAUSE: Duration = Duration::from_millis(50);

/// Why a request failed.
pub(super) enum Trouble {
    /// The request was not carried out, or it makes no difference.
    Plain(ArmError),
    /// The request may have been carried out. Look before sending it again: after its own success, its condition would
    /// fail.
    Unsure(ArmError),
}

impl From<Trouble> for ArmError {
    fn from(trouble: Trouble) -> Self {
        match trouble {
            Trouble::Plain(error) | Trouble::Unsure(error) => error,
        }
    }
}

/// What all requests share.
pub(super) struct Pipeline {
    pub(super) wire: Arc<Wire>,
    pub(super) limit: Duration,
    locks: Mutex<HashMap<String, Arc<tokio::sync::Mutex<()>>>>,
}

impl Pipeline {
    pub(super) fn new(wire: Arc<Wire>, limit: Duration) -> Self {
        Self { wire, limit, locks: Mutex::new(HashMap::new()) }
    }

    /// Waits until nobody else writes to these. Azure answers two concurrent writes with 429 or 409, or drops the
    /// earlier one.
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

    /// Sends a request, repeats it if that helps, and returns the first final answer: a success or a refusal.
    ///
    /// It is safe to send each request twice: GET, PUT and DELETE are idempotent, and the questions with POST change
    /// nothing. A 412 is an answer. After a lost answer, topo looks before it sends a write again, see
    /// [`Trouble::Unsure`]. The same goes for a write without a condition while somebody else writes, because it would
    /// replace the result of that other write.
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
                Ok(answer) if answer.stumbled() && about.is_write() => {
                    return Err(Trouble::Unsure(about.unexpected(&answer)));
                }
                Ok(answer) if answer.stumbled() => {
                    stumbles += 1;
                    (answer.retry_after().unwrap_or_else(|| backoff(stumbles)), Ok(answer))
                }
                Ok(answer) => return Ok(answer),
                Err(NoAnswer::SignIn(reason)) => return Err(Trouble::Plain(about.sign_in(&reason.to_string()))),
                Err(NoAnswer::Elsewhere(link)) => {
                    return Err(Trouble::Plain(about.elsewhere(&link, &self.wire.origin(), None)));
                }
                Err(NoAnswer::TooLong) => {
                    let why = "the answer is longer than 64 MiB. Check which server answers at the endpoint.";
                    return Err(Trouble::Plain(about.odd(why)));
                }
                Err(NoAnswer::Lost(reason)) if about.is_write() => {
                    return Err(Trouble::Unsure(about.unreachable(&self.wire.origin(), &reason, true)));
                }
                Err(NoAnswer::NotSent(reason) | NoAnswer::Lost(reason)) => {
                    stumbles += 1;
                    (backoff(stumbles) / 2, Err(about.unreachable(&self.wire.origin(), &reason, false)))
                }
            };
            let pause = pause.max(LEAST_PAUSE);
            if stumbles >= TRIES || pause > deadline.saturating_duration_since(Instant::now()) {
                return last.map_err(Trouble::Plain);
            }
            tokio::time::sleep(pause).await;
        }
    }
}

/// The wait before another try if Azure does not give one: 1, 2, 4, 8, then 15 seconds.
pub(super) fn backoff(tries: u32) -> Duration {
    Duration::from_secs([1, 2, 4, 8].get(tries.saturating_sub(1) as usize).copied().unwrap_or(15))
}

/// Waits before the same write is sent again.
pub(super) async fn pause(tries: u32) {
    tokio::time::sleep(backoff(tries) / 2).await;
}

/// Whether the resource has everything that was sent; Azure may have added more. Ignores versions and states, which
/// belong to Azure. Ignores case in identifiers. An empty list equals a missing one.
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
