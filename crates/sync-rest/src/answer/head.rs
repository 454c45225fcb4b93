//! What comes before the body.

use std::time::{Duration, UNIX_EPOCH};

use sync_core::Timestamp;
use sync_core::transport::{Answer, Features};

use crate::wire::header;

/// The longest that a server may ask to wait.
const MAX_RETRY_AFTER: Duration = Duration::from_secs(3600);

/// Status and the headers that matter.
#[derive(Debug, Clone, Default)]
pub(crate) struct Head {
    pub(crate) status: u16,
    /// The strong `ETag`; a weak one does not identify bytes and is not kept.
    pub(crate) tag: Option<String>,
    /// How long to wait, at most an hour.
    pub(crate) retry_after: Option<Duration>,
    pub(crate) server_date: Option<Timestamp>,
    pub(crate) epoch: Option<String>,
    pub(crate) features: Option<Features>,
    pub(crate) content_type: Option<String>,
}

impl Head {
    /// Reads the headers through `get` (by lower-case name). `now` stands in for a missing `Date`.
    pub(crate) fn read<'a>(
        status: u16,
        now: &Timestamp,
        get: impl Fn(&str) -> Option<&'a str>,
    ) -> Self {
        let server_date = get("date").and_then(http_date);
        let retry_after = get("retry-after")
            .and_then(|text| wait(text.trim(), server_date.as_ref().unwrap_or(now)));
        Self {
            status,
            tag: get("etag").and_then(strong_tag),
            retry_after,
            server_date,
            epoch: get(header::EPOCH).map(str::to_owned),
            features: get(header::FEATURES).map(Features::parse),
            content_type: get("content-type").map(str::to_ascii_lowercase),
        }
    }

    pub(crate) fn is_success(&self) -> bool {
        (200..300).contains(&self.status)
    }

    /// The value, with what came beside it.
    pub(crate) fn answer<T>(self, value: T) -> Answer<T> {
        let mut answer = Answer::new(value);
        answer.server_date = self.server_date;
        answer.epoch = self.epoch;
        answer.features = self.features;
        answer
    }
}

/// `Retry-After`: seconds, or a date relative to the server's own clock.
fn wait(text: &str, now: &Timestamp) -> Option<Duration> {
    let is_number = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let asked = if is_number {
        // More digits than a u64 holds is still "very long".
        Duration::from_secs(text.parse().unwrap_or(u64::MAX))
    } else {
        let nanos = http_date(text)?.unix_nanos() - now.unix_nanos();
        Duration::from_nanos(u64::try_from(nanos.max(0)).unwrap_or(u64::MAX))
    };
    Some(asked.min(MAX_RETRY_AFTER))
}

fn http_date(text: &str) -> Option<Timestamp> {
    let date = httpdate::parse_http_date(text.trim()).ok()?;
    let since_1970 = date.duration_since(UNIX_EPOCH).ok()?;
    let nanos = i128::try_from(since_1970.as_nanos()).ok()?;
    Some(Timestamp::from_unix_nanos(nanos))
}

fn strong_tag(text: &str) -> Option<String> {
    let text = text.trim();
    let inner = text.strip_prefix('"')?.strip_suffix('"')?;
    (!inner.contains('"')).then(|| text.to_owned())
}
