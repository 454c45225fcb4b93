//! One thing that goes wrong with one call.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use sync_core::TransportErrorKind;
use sync_core::transport::{PullPage, PullRequest, PushOutcome, PushRequest, PushResult};

use super::script::Call;
use super::spoil;

/// One thing that goes wrong with one call.
///
/// What strikes only certain answers, for example conflicts, waits for the first call that it
/// fits; what is scripted behind it for the same calls waits with it.
///
/// ```
/// use sync_testkit::TransportFault;
///
/// let html = TransportFault::html();
/// let short = TransportFault::page_of(2);
/// // Whatever else a server may do to a page:
/// let no_total = TransportFault::page(|_, page| page.total.take().is_some());
/// # let _ = (html, short, no_total);
/// ```
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum TransportFault {
    /// The call fails in this way and nothing is done. `Protocol` befalls a push of one operation
    /// as its [`PushOutcome::Protocol`].
    Before(TransportErrorKind),
    /// The work is done, then the call fails in this way: the answer is lost.
    After(TransportErrorKind),
    /// Nobody is served for this long: `Unavailable`, with the time that the server asks to wait.
    Unavailable(Duration),
    /// The call waits for so long in the time of the [`Env`](sync_core::Env), then goes on.
    Delay(Duration),
    /// The request arrives twice; the second answer counts.
    Duplicate,
    /// The push is done, but the last of its results is this one.
    LastResult(PushOutcome),
    /// The pull is answered with at most so many rows.
    PageOf(u32),
    /// The push arrives under keys that nobody has seen before.
    IgnoredKey,
    /// The pull is answered with a changed page.
    Page(Change<PullRequest, PullPage>),
    /// The push is done and answered with changed results.
    Results(Change<PushRequest, Vec<PushResult>>),
}

impl TransportFault {
    /// Changes a page; `false` = this one does not fit and is left as it is.
    #[must_use]
    pub fn page(
        change: impl Fn(&PullRequest, &mut PullPage) -> bool + Send + Sync + 'static,
    ) -> Self {
        Self::Page(Change(Arc::new(change)))
    }

    /// Changes the results of a push; `false` = these do not fit and are left as they are.
    #[must_use]
    pub fn results(
        change: impl Fn(&PushRequest, &mut Vec<PushResult>) -> bool + Send + Sync + 'static,
    ) -> Self {
        Self::Results(Change(Arc::new(change)))
    }

    /// 401, as if the token had run out; nothing is done.
    #[must_use]
    pub fn unauthorized() -> Self {
        Self::Before(TransportErrorKind::Unauthorized)
    }

    /// A page of HTML in place of the answer, as the log-in page of a hotel's network is; nothing
    /// is done.
    #[must_use]
    pub fn html() -> Self {
        Self::Before(TransportErrorKind::Protocol)
    }

    /// A redirect to another host in place of the answer; nothing is done.
    #[must_use]
    pub fn redirect() -> Self {
        Self::Before(TransportErrorKind::Protocol)
    }

    /// A success whose JSON ends in the middle; nothing is done.
    #[must_use]
    pub fn invalid_json() -> Self {
        Self::Before(TransportErrorKind::BrokenBody)
    }

    /// At most so many rows in this page, although more exist and more were asked for.
    #[must_use]
    pub fn page_of(rows: u32) -> Self {
        Self::PageOf(rows)
    }

    /// The idempotency keys of this push are not looked at.
    #[must_use]
    pub fn ignored_key() -> Self {
        Self::IgnoredKey
    }

    /// The rows of this page are stamped in whole seconds.
    #[must_use]
    pub fn second_stamps() -> Self {
        Self::page(|_, page| spoil::second_stamps(page))
    }

    /// A page bears the very token that it was asked for with. Waits for such a request.
    #[must_use]
    pub fn repeated_token() -> Self {
        Self::page(spoil::repeated_token)
    }

    /// What was accepted is answered without the stored record. Waits for a success with one.
    #[must_use]
    pub fn empty_body() -> Self {
        Self::results(|_, results| spoil::empty_body(results))
    }

    /// Conflicts are answered without the server's record. Waits for a conflict to come up.
    #[must_use]
    pub fn incomplete_conflict() -> Self {
        Self::results(|_, results| {
            spoil::conflicts(
                results,
                &PushOutcome::Conflict {
                    state: None,
                    time: None,
                },
            )
        })
    }

    /// Conflicts are answered with the record of another entity, which a transport gives as
    /// [`PushOutcome::Protocol`]. Waits for a conflict to come up.
    #[must_use]
    pub fn wrong_entity_conflict() -> Self {
        let foreign = protocol("the conflict shows the record of another id (simulated)");
        Self::results(move |_, results| spoil::conflicts(results, &foreign))
    }

    /// The last result of a batch is missing, although its operation was done: for a transport
    /// [`PushOutcome::Trouble`]. Waits for a batch.
    #[must_use]
    pub fn missing_result() -> Self {
        Self::results(|_, results| {
            let last = results.len().saturating_sub(1);
            spoil::trouble(results, last, "the batch has no result for this operation")
        })
    }

    /// The first result of a batch comes twice, although its operation was done: for a transport
    /// [`PushOutcome::Trouble`]. Waits for a batch.
    #[must_use]
    pub fn doubled_result() -> Self {
        Self::first_result("the batch has more than one result for this operation")
    }

    /// The first result of a batch bears an id that was not asked about, so that its operation has
    /// none: for a transport [`PushOutcome::Trouble`]. Waits for a batch.
    #[must_use]
    pub fn unknown_result() -> Self {
        Self::first_result("the batch has no result for this operation")
    }

    /// The first result of a batch has no status, although its operation was done: for a transport
    /// [`PushOutcome::Trouble`]. Waits for a batch.
    #[must_use]
    pub fn result_without_status() -> Self {
        Self::first_result("the result for this operation has no status")
    }

    fn first_result(trouble: &'static str) -> Self {
        Self::results(move |_, results| spoil::trouble(results, 0, trouble))
    }

    /// Does it to the page; `false` if it does not fit.
    pub(super) fn spoil_page(&self, request: &PullRequest, page: &mut PullPage) -> bool {
        match self {
            Self::Page(Change(change)) => change(request, page),
            _ => false,
        }
    }

    /// Does it to the results; `false` if it does not fit.
    pub(super) fn spoil_results(
        &self,
        request: &PushRequest,
        results: &mut Vec<PushResult>,
    ) -> bool {
        match self {
            Self::LastResult(outcome) => match results.last_mut() {
                Some(last) => {
                    last.outcome = outcome.clone();
                    true
                }
                None => false,
            },
            Self::Results(Change(change)) => change(request, results),
            _ => false,
        }
    }

    /// Is it of a kind that strikes such calls?
    pub(super) fn can_befall(&self, call: Call) -> bool {
        match self {
            Self::PageOf(_) | Self::Page(_) => call == Call::Pull,
            Self::LastResult(_) | Self::IgnoredKey | Self::Results(_) => call == Call::Push,
            Self::Before(_)
            | Self::After(_)
            | Self::Unavailable(_)
            | Self::Delay(_)
            | Self::Duplicate => true,
        }
    }
}

pub(super) fn protocol(message: &str) -> PushOutcome {
    PushOutcome::Protocol {
        message: message.to_owned(),
    }
}

/// Changes the answer to a request; made by [`TransportFault::page`] and
/// [`TransportFault::results`].
#[derive(Clone)]
pub struct Change<Q, A>(Arc<Spoil<Q, A>>);

type Spoil<Q, A> = dyn Fn(&Q, &mut A) -> bool + Send + Sync;

impl<Q, A> fmt::Debug for Change<Q, A> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Change")
    }
}
