//! What is to go wrong, where, and how often.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;

use super::clock::StampStyle;
use super::reply::{Reply, ReplyBody};
use super::routes::Action;
use super::settings::MockServerBuilder;
use super::spoil::Spoil;
use crate::gate::Barrier;

/// The requests that a fault or a gate is meant for.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Route {
    /// Every request.
    Any,
    /// Pulls of any kind.
    Pull,
    /// Pulls of one kind.
    PullOf(String),
    /// Everything that changes records: `PUT`, `DELETE` and batches.
    Push,
    /// `PUT`.
    Put,
    /// `DELETE`.
    Delete,
    /// Batches.
    Batch,
    /// `GET` of one record.
    Fetch,
    /// Health.
    Health,
    /// The live channel.
    Events,
}

impl Route {
    /// Pulls of one kind.
    #[must_use]
    pub fn pull_of(kind: impl Into<String>) -> Self {
        Self::PullOf(kind.into())
    }

    pub(super) fn covers(&self, action: &Action) -> bool {
        match self {
            Self::Any => true,
            Self::Pull => matches!(action, Action::List { .. }),
            Self::PullOf(wanted) => matches!(action, Action::List { kind } if kind == wanted),
            Self::Push => matches!(
                action,
                Action::Put { .. } | Action::Delete { .. } | Action::Batch
            ),
            Self::Put => matches!(action, Action::Put { .. }),
            Self::Delete => matches!(action, Action::Delete { .. }),
            Self::Batch => matches!(action, Action::Batch),
            Self::Fetch => matches!(action, Action::Fetch { .. }),
            Self::Health => matches!(action, Action::Health),
            Self::Events => matches!(action, Action::Events),
        }
    }
}

/// One thing that goes wrong with a request.
///
/// What answers in place of the server comes *before* the work: the request changes nothing.
/// [`after_work`](Self::after_work) turns that round: the work is done, and its answer is lost.
///
/// ```
/// # use serde_json::json;
/// # use sync_testkit::{Fault, MockServer, Route};
/// # fn example(server: &MockServer) {
/// server.fault(Fault::status(429).header("Retry-After", "60")).on(Route::Push);
/// server.fault(Fault::html()).on(Route::pull_of("todos")).always();
/// server.fault(Fault::json(422, json!({"message": "too long"})).after_work()).skip(2);
/// # }
/// ```
#[derive(Debug, Clone)]
pub struct Fault {
    pub(super) effect: Effect,
    after_work: bool,
}

#[derive(Clone)]
pub(super) enum Effect {
    Answer(Reply),
    Drop,
    Delay(Duration),
    Hold(Barrier),
    Behave(Arc<dyn Fn(MockServerBuilder) -> MockServerBuilder + Send + Sync>),
    Spoil(Spoil),
}

impl fmt::Debug for Effect {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Answer(reply) => f.debug_tuple("Answer").field(&reply.status).finish(),
            Self::Drop => f.write_str("Drop"),
            Self::Delay(duration) => f.debug_tuple("Delay").field(duration).finish(),
            Self::Hold(_) => f.write_str("Hold"),
            Self::Behave(_) => f.write_str("Behave"),
            Self::Spoil(spoil) => f.debug_tuple("Spoil").field(spoil).finish(),
        }
    }
}

impl From<Effect> for Fault {
    fn from(effect: Effect) -> Self {
        Self {
            effect,
            after_work: false,
        }
    }
}

impl Fault {
    /// An answer of this status with an error body.
    #[must_use]
    pub fn status(status: u16) -> Self {
        Effect::Answer(Reply::error(status, "simulated", "simulated error")).into()
    }

    /// An answer of exactly this status and body, as JSON unless a header says otherwise.
    #[must_use]
    pub fn answer(status: u16, body: impl Into<String>) -> Self {
        Effect::Answer(Reply::raw(status, "application/json", body)).into()
    }

    /// An answer with a JSON body.
    #[must_use]
    pub fn json(status: u16, body: Value) -> Self {
        Effect::Answer(Reply {
            body: ReplyBody::Json(body),
            ..Reply::empty(status)
        })
        .into()
    }

    /// 200 with JSON that ends in the middle.
    #[must_use]
    pub fn invalid_json() -> Self {
        Self::answer(200, "{invalid json data")
    }

    /// 200 with a page of HTML, as the log-in page of a hotel's network is.
    #[must_use]
    pub fn html() -> Self {
        let page = "<!DOCTYPE html><html><body>Please log in</body></html>";
        Effect::Answer(Reply::raw(200, "text/html; charset=utf-8", page)).into()
    }

    /// A redirect (307) to this address.
    #[must_use]
    pub fn redirect(location: &str) -> Self {
        Self::from(Effect::Answer(Reply::empty(307))).header("location", location)
    }

    /// Adds a header to an answer made here, or replaces it; `Retry-After`, for example.
    #[must_use]
    pub fn header(mut self, name: &str, value: impl Into<String>) -> Self {
        if let Effect::Answer(reply) = &mut self.effect {
            let name = name.to_ascii_lowercase();
            reply.headers.retain(|(other, _)| *other != name);
            reply.headers.push((name, value.into()));
        }
        self
    }

    /// The connection breaks before anything was done.
    #[must_use]
    pub fn drop_before() -> Self {
        Effect::Drop.into()
    }

    /// The connection breaks when the work is done: the answer is lost.
    #[must_use]
    pub fn drop_after() -> Self {
        Self::drop_before().after_work()
    }

    /// The request waits for so long in real time. [`MockServer::hold`](super::MockServer::hold)
    /// does without a clock.
    #[must_use]
    pub fn delay(duration: Duration) -> Self {
        Effect::Delay(duration).into()
    }

    /// This request is served with other switches.
    #[must_use]
    pub fn behave(
        switch: impl Fn(MockServerBuilder) -> MockServerBuilder + Send + Sync + 'static,
    ) -> Self {
        Effect::Behave(Arc::new(switch)).into()
    }

    /// At most so many rows in this page, although more exist and more were asked for.
    #[must_use]
    pub fn page_of(rows: usize) -> Self {
        Self::behave(move |settings| settings.max_limit(rows))
    }

    /// This write is stamped in whole seconds, like others of the same second.
    #[must_use]
    pub fn second_stamps() -> Self {
        Self::behave(|settings| settings.stamps(StampStyle::Seconds).coarse(true))
    }

    /// The idempotency key is not looked at.
    #[must_use]
    pub fn ignored_key() -> Self {
        Self::behave(|settings| settings.ignore_keys(true))
    }

    /// A success is answered without a body.
    #[must_use]
    pub fn empty_body() -> Self {
        Effect::Spoil(Spoil::EmptyBody).into()
    }

    /// A conflict is answered without the server's record. Waits for a conflict to come up.
    #[must_use]
    pub fn incomplete_conflict() -> Self {
        Effect::Spoil(Spoil::IncompleteConflict).into()
    }

    /// A conflict is answered with the record of another entity. Waits for a conflict to come up.
    #[must_use]
    pub fn wrong_entity_conflict() -> Self {
        Effect::Spoil(Spoil::WrongEntityConflict).into()
    }

    /// The last result of a batch is missing, although its operation was done.
    #[must_use]
    pub fn missing_result() -> Self {
        Effect::Spoil(Spoil::MissingResult).into()
    }

    /// The first result of a batch comes twice.
    #[must_use]
    pub fn doubled_result() -> Self {
        Effect::Spoil(Spoil::DoubledResult).into()
    }

    /// The first result of a batch bears an id that was not asked about.
    #[must_use]
    pub fn unknown_result() -> Self {
        Effect::Spoil(Spoil::UnknownResult).into()
    }

    /// The first result of a batch has no status.
    #[must_use]
    pub fn result_without_status() -> Self {
        Effect::Spoil(Spoil::ResultWithoutStatus).into()
    }

    /// The first result of a batch bears this status and nothing else, although its operation was
    /// done.
    #[must_use]
    pub fn result_status(status: u16) -> Self {
        Effect::Spoil(Spoil::ResultStatus(status)).into()
    }

    /// A page bears the very token that it was asked for with. Waits for such a request.
    #[must_use]
    pub fn repeated_token() -> Self {
        Effect::Spoil(Spoil::RepeatedToken).into()
    }

    /// Does the work first: what was done stays done, and its answer is replaced or lost.
    #[must_use]
    pub fn after_work(mut self) -> Self {
        self.after_work = true;
        self
    }

    pub(crate) fn hold(barrier: Barrier) -> Self {
        Effect::Hold(barrier).into()
    }

    pub(super) fn stage(&self) -> Stage {
        match self.effect {
            Effect::Spoil(_) => Stage::After,
            Effect::Behave(_) => Stage::During,
            _ if self.after_work => Stage::After,
            _ => Stage::Before,
        }
    }
}

/// When a fault strikes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Stage {
    Before,
    During,
    After,
}
