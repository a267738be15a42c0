//! Long-running operations: polls them until they end, successfully or not.

use serde_json::Value;
use tokio::time::Instant;

use super::answer::Answer;
use super::error::{About, ArmError, Doing};
use super::pipeline::{LEAST_PAUSE, Pipeline, backoff};
use super::wire::Extra;

/// The content of a poll.
enum Poll {
    Running,
    Done,
    Failed {
        code: String,
        message: String,
    },
    /// Something else.
    Odd,
}

impl Pipeline {
    /// Waits until the operation behind an answer has succeeded, and returns the last poll; or the answer itself, if
    /// there is no operation. Follows `Azure-AsyncOperation` whatever the status (an update is 200 with it), else
    /// `Location`. The result of a question is only at `Location`: the status of an operation does not contain it.
    pub(super) async fn finish(&self, about: &About, first: &Answer, deadline: Instant) -> Result<Answer, ArmError> {
        let location = first.header("location").filter(|_| matches!(first.status, 201 | 202));
        let (link, tells_status) = match (first.header("azure-asyncoperation"), location) {
            (Some(_), Some(link)) if about.doing == Doing::Ask => (link, false),
            (Some(link), _) => (link, true),
            (None, Some(link)) => (link, false),
            (None, None) => return Ok(first.clone()),
        };
        let about = &about.accepted();
        let (mut link, mut id) = (link.to_owned(), first.request_id().map(str::to_owned));
        let mut wait = first.retry_after();
        let mut polls = 0;
        loop {
            polls += 1;
            let origin = self.wire.origin();
            let url = self.wire.link(&link).ok_or_else(|| about.elsewhere(&link, &origin, id.as_deref()))?;
            let operation = url.path_segments().and_then(|mut it| it.next_back()).unwrap_or_default().to_owned();
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Err(about.timed_out(&operation, id.as_deref()));
            }
            tokio::time::sleep(wait.unwrap_or_else(|| backoff(polls)).max(LEAST_PAUSE).min(left)).await;
            let answer = self.ask(about, &Extra::new(), deadline, |extra| self.wire.get(&url, extra)).await?;
            let poll = if tells_status { by_status(&answer) } else { by_location(&answer) };
            id = answer.request_id().map(str::to_owned).or(id);
            match poll {
                Poll::Done => return Ok(answer),
                Poll::Failed { code, message } => {
                    return Err(about.failed(&code, &message, &operation, id.as_deref()));
                }
                Poll::Odd if matches!(answer.status, 401 | 403 | 429) => return Err(about.refused(&answer)),
                Poll::Odd => return Err(about.unexpected(&answer)),
                Poll::Running => {
                    wait = answer.retry_after();
                    if let (false, Some(next)) = (tells_status, answer.header("location")) {
                        next.clone_into(&mut link);
                    }
                }
            }
        }
    }
}

/// `Azure-AsyncOperation`: HTTP 200 and a `status`, even for a failure.
fn by_status(answer: &Answer) -> Poll {
    if !answer.succeeded() {
        return Poll::Odd;
    }
    let status = answer.json["status"].as_str().unwrap_or_default();
    if status.eq_ignore_ascii_case("Succeeded") {
        Poll::Done
    } else if ["Failed", "Canceled", "Cancelled"].iter().any(|bad| status.eq_ignore_ascii_case(bad)) {
        let told = |name: &str| answer.json["error"][name].as_str().unwrap_or(status).to_owned();
        let causes = answer.error_causes().map(|(code, message)| format!(" {code}: {message}"));
        Poll::Failed { code: told("code"), message: told("message") + &causes.collect::<String>() }
    } else if status.is_empty() && answer.status != 202 {
        Poll::Odd
    } else {
        Poll::Running
    }
}

/// `Location`: 202 while the operation runs, then the result, which has no `status`; or the error with its own HTTP
/// status.
fn by_location(answer: &Answer) -> Poll {
    match (answer.status, answer.error_code()) {
        (202, _) => Poll::Running,
        (200..=299, _) => Poll::Done,
        (401 | 403 | 429, _) | (_, None) => Poll::Odd,
        (_, Some(code)) => {
            let message = answer.error_message().unwrap_or(code).to_owned();
            Poll::Failed { code: code.to_owned(), message }
        }
    }
}

/// The values in a list's answer.
pub(super) fn values(answer: &Answer) -> Option<Vec<Value>> {
    answer.json["value"].as_array().cloned()
}
