//! The server's own clock, and how it writes a point in time.

use std::time::Duration;

use chrono::{DateTime, FixedOffset, SecondsFormat, Utc};
use sync_core::Timestamp;

const NANOS_PER_SECOND: i128 = 1_000_000_000;
/// 2026-01-01T00:00:00Z, where every server starts unless told otherwise.
const START_NANOS: i128 = 1_767_225_600 * NANOS_PER_SECOND;
/// How far the clock moves with each write: more than any stamp style but whole seconds hides.
const TICK_NANOS: i128 = 1_001_001;

/// How a server writes its stamps.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum StampStyle {
    /// `2026-01-01T00:00:00.001001Z`, the default.
    #[default]
    Micros,
    /// `2026-01-01T00:00:00.001Z`.
    Millis,
    /// `2026-01-01T00:00:00Z`.
    Seconds,
    /// `2026-01-01T00:00:00.001001001Z`.
    Nanos,
    /// `2026-01-01T02:00:00.001001+02:00`.
    Offset,
    /// `1767225600`.
    UnixSeconds,
    /// `1767225600001`.
    UnixMillis,
}

impl StampStyle {
    /// The smallest difference that two stamps of this style can show.
    fn unit_nanos(self) -> i128 {
        match self {
            Self::Nanos => 1,
            Self::Micros | Self::Offset => 1_000,
            Self::Millis | Self::UnixMillis => 1_000_000,
            Self::Seconds | Self::UnixSeconds => NANOS_PER_SECOND,
        }
    }

    /// The instant as this style writes it, rounded down.
    pub(crate) fn write(self, unix_nanos: i128) -> Timestamp {
        let instant = instant(unix_nanos);
        let text = match self {
            Self::Micros => instant.to_rfc3339_opts(SecondsFormat::Micros, true),
            Self::Millis => instant.to_rfc3339_opts(SecondsFormat::Millis, true),
            Self::Seconds => instant.to_rfc3339_opts(SecondsFormat::Secs, true),
            Self::Nanos => instant.to_rfc3339_opts(SecondsFormat::Nanos, true),
            Self::Offset => match FixedOffset::east_opt(2 * 3600) {
                Some(zone) => instant
                    .with_timezone(&zone)
                    .to_rfc3339_opts(SecondsFormat::Micros, false),
                None => instant.to_rfc3339_opts(SecondsFormat::Micros, true),
            },
            Self::UnixSeconds => return number(instant.timestamp()),
            Self::UnixMillis => return number(instant.timestamp_millis()),
        };
        Timestamp::parse(&text).unwrap_or_else(|_| Timestamp::from_unix_nanos(unix_nanos))
    }
}

fn number(value: i64) -> Timestamp {
    Timestamp::from_number(value).unwrap_or_else(|_| Timestamp::from_unix_nanos(0))
}

fn instant(unix_nanos: i128) -> DateTime<Utc> {
    let seconds = i64::try_from(unix_nanos.div_euclid(NANOS_PER_SECOND)).unwrap_or(i64::MAX);
    let fraction = u32::try_from(unix_nanos.rem_euclid(NANOS_PER_SECOND)).unwrap_or(0);
    DateTime::from_timestamp(seconds, fraction).unwrap_or(DateTime::<Utc>::MAX_UTC)
}

/// Stands still between requests and moves on with every write.
#[derive(Debug, Clone)]
pub(crate) struct ServerClock {
    now_nanos: i128,
    last_stamp_nanos: i128,
}

impl Default for ServerClock {
    fn default() -> Self {
        Self {
            now_nanos: START_NANOS,
            last_stamp_nanos: 0,
        }
    }
}

impl ServerClock {
    pub(crate) fn set(&mut self, now: &Timestamp) {
        self.now_nanos = now.unix_nanos();
    }

    pub(crate) fn advance(&mut self, duration: Duration) {
        let nanos = i128::try_from(duration.as_nanos()).unwrap_or(i128::MAX);
        self.now_nanos = self.now_nanos.saturating_add(nanos);
    }

    pub(crate) fn now(&self) -> Timestamp {
        StampStyle::Nanos.write(self.now_nanos)
    }

    /// The value of the `Date` header.
    pub(crate) fn http_date(&self) -> String {
        instant(self.now_nanos)
            .format("%a, %d %b %Y %H:%M:%S GMT")
            .to_string()
    }

    /// The instant of a write: strictly later than every stamp before, as far as the style can
    /// tell them apart, unless the server is coarse.
    pub(crate) fn tick(&mut self, style: StampStyle, coarse: bool) -> i128 {
        let unit = style.unit_nanos();
        self.now_nanos += TICK_NANOS;
        if !coarse {
            let next_unit = (self.last_stamp_nanos / unit + 1) * unit;
            self.now_nanos = self.now_nanos.max(next_unit);
        }
        self.saw_stamp(self.now_nanos);
        self.now_nanos
    }

    /// Later stamps are to be later than this one.
    pub(crate) fn saw_stamp(&mut self, unix_nanos: i128) {
        self.last_stamp_nanos = self.last_stamp_nanos.max(unix_nanos);
    }

    /// The clock after a record with a stamp of its own was seeded: not before that stamp.
    pub(crate) fn catch_up(&mut self, unix_nanos: i128) {
        self.saw_stamp(unix_nanos);
        self.now_nanos = self.now_nanos.max(unix_nanos);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_style_is_read_back_as_the_instant_it_can_show() {
        let nanos = START_NANOS + 123_456_789;
        let shown = |style: StampStyle| style.write(nanos);
        assert_eq!(
            shown(StampStyle::Micros).to_string(),
            "2026-01-01T00:00:00.123456Z"
        );
        assert_eq!(
            shown(StampStyle::Millis).to_string(),
            "2026-01-01T00:00:00.123Z"
        );
        assert_eq!(
            shown(StampStyle::Seconds).to_string(),
            "2026-01-01T00:00:00Z"
        );
        assert_eq!(
            shown(StampStyle::Nanos).to_string(),
            "2026-01-01T00:00:00.123456789Z"
        );
        assert_eq!(
            shown(StampStyle::Offset).to_string(),
            "2026-01-01T02:00:00.123456+02:00"
        );
        assert_eq!(shown(StampStyle::UnixSeconds).to_string(), "1767225600");
        assert_eq!(shown(StampStyle::UnixMillis).to_string(), "1767225600123");
        for style in [StampStyle::Offset, StampStyle::Micros] {
            assert_eq!(shown(style).unix_nanos(), nanos - 789);
        }
    }

    #[test]
    fn stamps_ascend_strictly_also_in_whole_seconds_and_after_the_clock_was_set_back() {
        let mut clock = ServerClock::default();
        let first = StampStyle::Seconds.write(clock.tick(StampStyle::Seconds, false));
        let second = StampStyle::Seconds.write(clock.tick(StampStyle::Seconds, false));
        clock.set(&Timestamp::from_unix_millis(0));
        let third = StampStyle::Seconds.write(clock.tick(StampStyle::Seconds, false));
        assert!(first < second && second < third);
    }

    #[test]
    fn a_coarse_clock_repeats_a_stamp() {
        let mut clock = ServerClock::default();
        let first = StampStyle::Seconds.write(clock.tick(StampStyle::Seconds, true));
        let second = StampStyle::Seconds.write(clock.tick(StampStyle::Seconds, true));
        assert_eq!(first, second);
    }

    #[test]
    fn the_date_header_is_an_http_date() {
        assert_eq!(
            ServerClock::default().http_date(),
            "Thu, 01 Jan 2026 00:00:00 GMT"
        );
    }
}
