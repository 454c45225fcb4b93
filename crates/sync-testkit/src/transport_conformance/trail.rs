//! What a server was asked and how it answered, in the words of `docs/protocol.md`: for those who
//! read a failure and write their server in another language.

use std::collections::VecDeque;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use serde_json::Value;
use sync_core::transport::{
    Answer, Capabilities, FetchRequest, PullPage, PullRequest, PushChange, PushOp, PushOutcome,
    PushRequest, PushResult, WakeupStream,
};
use sync_core::{Precondition, ServerState, Transport, TransportError};

use super::Ability;

/// So many lines are kept: what went wrong is at the end.
const LINES: usize = 24;
/// So many letters of a line are kept.
const LETTERS: usize = 400;

/// The last requests and answers, and what of the optional things was relied on.
#[derive(Debug, Default)]
pub(super) struct Trail {
    lines: Mutex<VecDeque<String>>,
    relied_on: Mutex<Vec<Ability>>,
}

impl Trail {
    fn add(&self, line: &str) {
        let mut lines = self.lines.lock().unwrap_or_else(PoisonError::into_inner);
        if lines.len() == LINES {
            lines.pop_front();
        }
        let shown: String = line.chars().take(LETTERS).collect();
        let more = if shown.len() < line.len() { " …" } else { "" };
        lines.push_back(format!("{shown}{more}"));
    }

    /// Something optional that the server has, because nobody said that it lacks it.
    pub(super) fn relies_on(&self, ability: Ability) {
        let mut relied_on = self
            .relied_on
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        if !relied_on.contains(&ability) {
            relied_on.push(ability);
        }
    }

    fn asked(&self, request: &str) {
        self.add(&format!("  asked:    {request}"));
    }

    fn told<T>(&self, answer: &Result<Answer<T>, TransportError>, tell: impl FnOnce(&T) -> String) {
        let text = match answer {
            Ok(answer) => tell(&answer.value),
            Err(error) => failure(error),
        };
        self.add(&format!("  answered: {text}"));
    }
}

impl fmt::Display for Trail {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let lines = self.lines.lock().unwrap_or_else(PoisonError::into_inner);
        if lines.is_empty() {
            return f.write_str("The server was asked nothing.");
        }
        f.write_str("The last that the server was asked, and how its answers were understood:")?;
        lines.iter().try_for_each(|line| write!(f, "\n{line}"))?;
        let relied_on = self
            .relied_on
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        relied_on.iter().try_for_each(|ability| {
            write!(
                f,
                "\nIf {ability}, say so: `.without([Ability::{ability:?}])`, and list the behaviour under `skips`"
            )
        })
    }
}

/// A transport that leaves a trail.
#[derive(Debug)]
pub(super) struct Trailed<T> {
    inner: T,
    trail: Arc<Trail>,
}

impl<T> Trailed<T> {
    pub(super) fn new(inner: T, trail: Arc<Trail>) -> Self {
        Self { inner, trail }
    }
}

#[async_trait]
impl<T: Transport> Transport for Trailed<T> {
    async fn pull(&self, request: PullRequest) -> Result<Answer<PullPage>, TransportError> {
        self.trail.asked(&list(&request));
        let answer = self.inner.pull(request).await;
        self.trail.told(&answer, page);
        answer
    }

    async fn push(&self, request: PushRequest) -> Result<Answer<Vec<PushResult>>, TransportError> {
        self.trail.asked(&sent(&request.ops));
        let answer = self.inner.push(request).await;
        self.trail.told(&answer, |results| {
            let outcomes: Vec<_> = results
                .iter()
                .map(|result| outcome(&result.outcome))
                .collect();
            outcomes.join("; ")
        });
        answer
    }

    async fn fetch(&self, request: FetchRequest) -> Result<Answer<ServerState>, TransportError> {
        self.trail
            .asked(&format!("GET /{}/{}", request.kind, request.id));
        let answer = self.inner.fetch(request).await;
        self.trail.told(&answer, state);
        answer
    }

    async fn health(&self) -> Result<Answer<()>, TransportError> {
        self.trail.asked("GET /health");
        let answer = self.inner.health().await;
        self.trail.told(&answer, |()| "a success".to_owned());
        answer
    }

    async fn wakeups(&self) -> Result<WakeupStream, TransportError> {
        self.trail.asked("GET /events");
        let opened = self.inner.wakeups().await;
        if let Err(error) = &opened {
            self.trail.add(&format!("  answered: {}", failure(error)));
        }
        opened
    }

    fn capabilities(&self) -> Capabilities {
        self.inner.capabilities()
    }
}

fn list(request: &PullRequest) -> String {
    let since = request.since.as_ref().map_or_else(
        || "1970-01-01T00:00:00.000Z".to_owned(),
        |since| text(&since.to_json()),
    );
    let mut line = format!(
        "GET /{}?updatedSince={since}&limit={}&includeDeleted={}",
        request.kind, request.limit, request.include_deleted
    );
    let after = request.after_id.as_ref().map(ToString::to_string);
    let filter = request.filter.iter();
    let rest = [
        ("afterId", after),
        ("pageToken", request.page_token.clone()),
        ("cursor", request.cursor.clone()),
    ];
    let rest = rest
        .into_iter()
        .filter_map(|(name, value)| Some((name.to_owned(), value?)))
        .chain(filter.cloned());
    for (name, value) in rest {
        line.push_str(&format!("&{name}={value}"));
    }
    line
}

fn sent(ops: &[PushOp]) -> String {
    match ops {
        [op] => change(op),
        [] => "nothing: a push without operations".to_owned(),
        ops => {
            let each: Vec<_> = ops.iter().map(change).collect();
            format!("POST /batch of {}: {}", ops.len(), each.join("; "))
        }
    }
}

/// One operation as it goes out alone.
fn change(op: &PushOp) -> String {
    let (verb, body, word) = match &op.change {
        PushChange::Upsert { record, .. } => {
            let body = Value::Object(record.fields().clone());
            ("PUT", format!(", body {body}"), "Update")
        }
        PushChange::Delete => ("DELETE", String::new(), "Delete"),
    };
    let check = match &op.precondition {
        Precondition::IfBase { version } => {
            format!("_baseUpdatedAt {}", text(&version.stamp.to_json()))
        }
        Precondition::IfAbsent => "If-None-Match: *".to_owned(),
        Precondition::Force => format!("X-Force-{word}: true"),
    };
    format!(
        "{verb} /{}/{}, {check}, X-Idempotency-Key: {}{body}",
        op.kind, op.id, op.key
    )
}

/// Text without quotes, everything else as JSON.
fn text(value: &Value) -> String {
    value
        .as_str()
        .map_or_else(|| value.to_string(), str::to_owned)
}

fn page(page: &PullPage) -> String {
    let rows: Vec<_> = page.items.iter().map(Value::to_string).collect();
    let token = page.next_page_token.as_ref();
    let token = token.map_or_else(String::new, |token| format!(", nextPageToken {token}"));
    let count = rows.len();
    format!("a page with {count} rows{token}: {}", rows.join(", "))
}

fn state(state: &ServerState) -> String {
    match state.record() {
        Some(record) => Value::Object(record.fields().clone()).to_string(),
        None => "not there (404, 410, or null)".to_owned(),
    }
}

/// An outcome in the words of the protocol.
pub(super) fn outcome(outcome: &PushOutcome) -> String {
    let with = |found: &Option<ServerState>| {
        let found = found.as_ref();
        found.map_or_else(
            || "without a usable record".to_owned(),
            |found| format!("with {}", state(found)),
        )
    };
    match outcome {
        PushOutcome::Accepted { state } => format!("a success (2xx) {}", with(state)),
        PushOutcome::Conflict { state, .. } => format!("a conflict (409 or 412) {}", with(state)),
        PushOutcome::Gone { state } => format!("gone (404 or 410) {}", with(state)),
        PushOutcome::Refused { status, message } => format!("a refusal ({status}): {message}"),
        PushOutcome::Trouble { message } => format!("trouble (5xx): {message}"),
        PushOutcome::Unavailable { status, .. } => format!("nobody is served ({status})"),
        PushOutcome::Unauthorized => "not signed in (401)".to_owned(),
        PushOutcome::Protocol { message } => format!("not an answer of this protocol: {message}"),
        other => format!("{other:?}"),
    }
}

fn failure(error: &TransportError) -> String {
    let words = error.server_words().unwrap_or_default();
    format!("no success: {error} {words}").trim_end().to_owned()
}
