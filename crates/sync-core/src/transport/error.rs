//! Failed requests.

use std::error::Error;
use std::fmt;
use std::time::Duration;

use crate::contents::Contents;

/// What kind of failure it was.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum TransportErrorKind {
    /// No connection, no name, no TLS: the request did not leave.
    Offline,
    /// No answer in time.
    Timeout,
    /// The connection broke while the request or its answer was under way.
    Interrupted,
    /// A success whose body could not be read.
    BrokenBody,
    /// 408, 429 or 503: the server serves nobody now.
    Unavailable,
    /// 401, also after the token was renewed, or no token could be had.
    Unauthorized,
    /// Another 5xx.
    Server,
    /// Another 4xx in answer to the request as a whole.
    Rejected,
    /// 410 in answer to a pull: the server cannot answer from this cursor any more.
    CursorExpired,
    /// Not an answer of this server: HTML, a redirect, the wrong shape or id.
    Protocol,
    /// The answer is larger or deeper than the limit.
    TooLarge,
    /// The answer belongs to another epoch of the server than what the store holds: a backup was
    /// restored. The engine's own; a transport passes the epoch on ([`super::Answer::epoch`]).
    EpochChanged,
    /// The transport is set up wrongly.
    Configuration,
    /// Anything else.
    Other,
}

/// A failed request: what happened, and whether the server may have seen it.
///
/// ```
/// # use std::time::Duration;
/// # use sync_core::{TransportError, TransportErrorKind};
/// let busy = TransportError::new(TransportErrorKind::Unavailable, "the server is busy")
///     .with_status(503)
///     .with_retry_after(Some(Duration::from_secs(30)));
/// assert!(busy.maybe_sent());
/// ```
#[derive(Debug)]
pub struct TransportError {
    kind: TransportErrorKind,
    message: String,
    server_words: Option<Contents<String>>,
    status: Option<u16>,
    retry_after: Option<Duration>,
    maybe_sent: bool,
    unanswered_before: bool,
    source: Option<Box<dyn Error + Send + Sync>>,
}

impl TransportError {
    /// A failure; the message is a lowercase fragment without secrets. Whether the request may have
    /// been sent follows from the kind and can be overruled.
    #[must_use]
    pub fn new(kind: TransportErrorKind, message: impl Into<String>) -> Self {
        let maybe_sent = !matches!(
            kind,
            TransportErrorKind::Offline | TransportErrorKind::Configuration
        );
        Self {
            kind,
            message: message.into(),
            server_words: None,
            status: None,
            retry_after: None,
            maybe_sent,
            unanswered_before: false,
            source: None,
        }
    }

    /// The same failure with what the server said, in its own words. They may repeat what was sent,
    /// so they are in neither `Display` nor `Debug`: logs are made of those.
    #[must_use]
    pub fn with_server_words(mut self, words: impl Into<String>) -> Self {
        self.server_words = Some(Contents(words.into()));
        self
    }

    /// What the server said, in its own words; for the app's user, not for a log.
    #[must_use]
    pub fn server_words(&self) -> Option<&str> {
        self.server_words.as_ref().map(|words| words.0.as_str())
    }

    /// The failure with the server's words, for what is kept and shown to the app.
    pub(crate) fn in_full(&self) -> String {
        match self.server_words() {
            Some(words) => format!("{}: {words}", self.message),
            None => self.message.clone(),
        }
    }

    /// The same failure with the status of the answer.
    #[must_use]
    pub fn with_status(mut self, status: u16) -> Self {
        self.status = Some(status);
        self
    }

    /// The same failure with the time that the server asks to wait.
    #[must_use]
    pub fn with_retry_after(mut self, wait: Option<Duration>) -> Self {
        self.retry_after = wait;
        self
    }

    /// The same failure, sure or unsure whether the request left.
    #[must_use]
    pub fn with_maybe_sent(mut self, maybe_sent: bool) -> Self {
        self.maybe_sent = maybe_sent;
        self
    }

    /// The same failure, behind an attempt at the same request that left without an answer.
    #[must_use]
    pub fn with_unanswered_before(mut self, unanswered_before: bool) -> Self {
        self.unanswered_before = unanswered_before;
        self.maybe_sent |= unanswered_before;
        self
    }

    /// The same failure with its cause.
    #[must_use]
    pub fn with_source(mut self, source: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        self.source = Some(source.into());
        self
    }

    /// What kind of failure it was.
    #[must_use]
    pub fn kind(&self) -> TransportErrorKind {
        self.kind
    }

    /// The HTTP status, if an answer came.
    #[must_use]
    pub fn status(&self) -> Option<u16> {
        self.status
    }

    /// How long the server asks to wait.
    #[must_use]
    pub fn retry_after(&self) -> Option<Duration> {
        self.retry_after
    }

    /// May the server have seen the request?
    #[must_use]
    pub fn maybe_sent(&self) -> bool {
        self.maybe_sent
    }

    /// Did an earlier attempt at the same request leave without an answer, so that it may have
    /// taken effect whatever this failure says?
    #[must_use]
    pub fn unanswered_before(&self) -> bool {
        self.unanswered_before
    }

    /// Is it worth repeating this request at once, within one run? A network that is down or a
    /// server that serves nobody is waited for between runs instead.
    #[must_use]
    pub fn is_retryable(&self) -> bool {
        matches!(
            self.kind,
            TransportErrorKind::Timeout
                | TransportErrorKind::Interrupted
                | TransportErrorKind::BrokenBody
                | TransportErrorKind::Server
        )
    }

    /// Does it speak of the whole network or server rather than of this request?
    #[must_use]
    pub fn is_environment(&self) -> bool {
        matches!(
            self.kind,
            TransportErrorKind::Offline | TransportErrorKind::Unavailable
        )
    }
}

impl fmt::Display for TransportError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl Error for TransportError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.source
            .as_deref()
            .map(|source| source as &(dyn Error + 'static))
    }
}
