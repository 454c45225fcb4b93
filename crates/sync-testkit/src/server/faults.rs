//! What is to go wrong, where, and how often.

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use serde_json::Value;

use super::clock::StampStyle;
use super::gate::Barrier;
use super::reply::{Reply, ReplyBody};
use super::routes::Action;
use super::settings::MockServerBuilder;
use super::spoil::Spoil;

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

    fn covers(&self, action: &Action) -> bool {
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
#[derive(Debug, Clone)]
pub struct Fault {
    effect: Effect,
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

    fn stage(&self) -> Stage {
        match self.effect {
            Effect::Spoil(_) => Stage::After,
            Effect::Behave(_) => Stage::During,
            _ if self.after_work => Stage::After,
            _ => Stage::Before,
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Stage {
    Before,
    During,
    After,
}

#[derive(Debug)]
struct Entry {
    fault: Fault,
    route: Route,
    record: Option<(String, String)>,
    skip: usize,
    left: usize,
    hits: usize,
}

/// All faults that are scripted, in the order in which they were.
#[derive(Debug, Clone, Default)]
pub(crate) struct Script(Arc<Mutex<Vec<Entry>>>);

impl Script {
    fn entries(&self) -> MutexGuard<'_, Vec<Entry>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn add(&self, fault: Fault) -> ScriptedFault {
        let mut entries = self.entries();
        entries.push(Entry {
            fault,
            route: Route::Any,
            record: None,
            skip: 0,
            left: 1,
            hits: 0,
        });
        ScriptedFault {
            script: self.clone(),
            index: entries.len() - 1,
        }
    }

    pub(crate) fn clear(&self) {
        for entry in self.entries().iter_mut() {
            entry.left = 0;
        }
    }

    /// Takes what is due at this stage: every wait and switch, and the first that ends the request.
    pub(super) fn take(&self, stage: Stage, action: &Action) -> Vec<Effect> {
        let mut due = Vec::new();
        for entry in self.entries().iter_mut() {
            let spoils = matches!(entry.fault.effect, Effect::Spoil(_));
            if entry.fault.stage() != stage || spoils || !entry.strikes(action) {
                continue;
            }
            let effect = entry.fault.effect.clone();
            let ends = matches!(effect, Effect::Answer(_) | Effect::Drop);
            due.push(effect);
            if ends {
                break;
            }
        }
        due
    }

    /// Spoils an answer with whatever is due and fits it.
    pub(crate) fn spoil(&self, action: &Action, page_token: Option<&str>, reply: &mut Reply) {
        for entry in self.entries().iter_mut() {
            if let Effect::Spoil(spoil) = entry.fault.effect {
                let mut spoilt = reply.clone();
                let fits = spoil.apply(&mut spoilt, page_token);
                if fits && entry.strikes(action) {
                    *reply = spoilt;
                }
            }
        }
    }
}

impl Entry {
    /// Counts the request; is it hit?
    fn strikes(&mut self, action: &Action) -> bool {
        let about =
            |(kind, id): &(String, String)| action.kind() == Some(kind) && action.id() == Some(id);
        if self.left == 0 || !self.route.covers(action) || !self.record.as_ref().is_none_or(about) {
            return false;
        }
        if self.skip > 0 {
            self.skip -= 1;
            return false;
        }
        if self.left != usize::MAX {
            self.left -= 1;
        }
        self.hits += 1;
        true
    }
}

/// A fault that is in force: at first once and for any request, until told otherwise.
#[derive(Debug, Clone)]
pub struct ScriptedFault {
    script: Script,
    index: usize,
}

impl ScriptedFault {
    fn change(self, change: impl FnOnce(&mut Entry)) -> Self {
        if let Some(entry) = self.script.entries().get_mut(self.index) {
            change(entry);
        }
        self
    }

    /// For these requests only.
    #[expect(
        clippy::return_self_not_must_use,
        reason = "the fault is already in force"
    )]
    pub fn on(self, route: Route) -> Self {
        self.change(|entry| entry.route = route)
    }

    /// For requests about this one record only.
    #[expect(
        clippy::return_self_not_must_use,
        reason = "the fault is already in force"
    )]
    pub fn only(self, kind: &str, id: &str) -> Self {
        self.change(|entry| entry.record = Some((kind.to_owned(), id.to_owned())))
    }

    /// So many times. Default: once.
    #[expect(
        clippy::return_self_not_must_use,
        reason = "the fault is already in force"
    )]
    pub fn times(self, times: usize) -> Self {
        self.change(|entry| entry.left = times)
    }

    /// Until it is [removed](Self::remove).
    #[expect(
        clippy::return_self_not_must_use,
        reason = "the fault is already in force"
    )]
    pub fn always(self) -> Self {
        self.times(usize::MAX)
    }

    /// Lets so many requests pass first.
    #[expect(
        clippy::return_self_not_must_use,
        reason = "the fault is already in force"
    )]
    pub fn skip(self, requests: usize) -> Self {
        self.change(|entry| entry.skip = requests)
    }

    /// How many requests it has hit.
    #[must_use]
    pub fn hits(&self) -> usize {
        self.script
            .entries()
            .get(self.index)
            .map_or(0, |entry| entry.hits)
    }

    /// Takes it out of force.
    pub fn remove(&self) {
        if let Some(entry) = self.script.entries().get_mut(self.index) {
            entry.left = 0;
        }
    }
}
