//! Points in time as servers write them: kept verbatim, compared as instants to the nanosecond.

use std::cmp::Ordering;
use std::fmt;
use std::time::Duration;

use chrono::{DateTime, NaiveDate, SecondsFormat, Utc};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::Value;

use crate::contents::shortened;

/// A text or number is not a point in time that this library accepts.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "{0} is not a timestamp: expected RFC 3339 text or Unix seconds or milliseconds, 1970 or later"
)]
pub struct InvalidTimestamp(String);

/// A point in time, exactly as somebody wrote it, together with the instant that it means.
///
/// Accepted are RFC 3339 text (without an offset it is UTC) and integers (below 10^11 Unix seconds,
/// else milliseconds), not before 1970. Two timestamps are equal when they mean the same instant,
/// however they are written; what goes back to the server is the [verbatim](Timestamp::to_json) form.
///
/// ```
/// # use sync_core::Timestamp;
/// let a = Timestamp::parse("2026-03-01T14:00:00.5+02:00").unwrap();
/// let b = Timestamp::parse("2026-03-01T12:00:00.500Z").unwrap();
/// assert_eq!(a, b);
/// assert_eq!(a.to_string(), "2026-03-01T14:00:00.5+02:00");
/// assert!(Timestamp::parse("20260301T140000Z").is_err());
/// ```
#[derive(Clone)]
pub struct Timestamp {
    verbatim: Verbatim,
    unix_nanos: i128,
}

#[derive(Clone)]
enum Verbatim {
    Text(Box<str>),
    Number(i64),
}

const NANOS_PER_SECOND: i128 = 1_000_000_000;
const NANOS_PER_MILLI: i128 = 1_000_000;
/// Integers from here on are milliseconds; as seconds it would be the year 5138.
const FIRST_MILLISECONDS: i64 = 100_000_000_000;

impl Timestamp {
    /// Reads RFC 3339 text; a missing offset means UTC.
    ///
    /// # Errors
    /// [`InvalidTimestamp`] if the text is anything else, or before 1970.
    pub fn parse(text: &str) -> Result<Self, InvalidTimestamp> {
        match parse_rfc3339(text) {
            Some(unix_nanos) if unix_nanos >= 0 => Ok(Self {
                verbatim: Verbatim::Text(text.into()),
                unix_nanos,
            }),
            _ => Err(InvalidTimestamp(format!("{:?}", shortened(text)))),
        }
    }

    /// Reads Unix seconds (below 10^11) or milliseconds.
    ///
    /// # Errors
    /// [`InvalidTimestamp`] if the number is negative.
    pub fn from_number(number: i64) -> Result<Self, InvalidTimestamp> {
        if number < 0 {
            return Err(InvalidTimestamp(number.to_string()));
        }
        let unit = if number < FIRST_MILLISECONDS {
            NANOS_PER_SECOND
        } else {
            NANOS_PER_MILLI
        };
        Ok(Self {
            verbatim: Verbatim::Number(number),
            unix_nanos: i128::from(number) * unit,
        })
    }

    /// Reads a JSON string or integer.
    ///
    /// # Errors
    /// [`InvalidTimestamp`] if it is anything else.
    pub fn from_json(value: &Value) -> Result<Self, InvalidTimestamp> {
        match value {
            Value::String(text) => Self::parse(text),
            Value::Number(number) => match number.as_i64() {
                Some(number) => Self::from_number(number),
                None => Err(InvalidTimestamp(number.to_string())),
            },
            Value::Null => Err(InvalidTimestamp("null".to_owned())),
            Value::Bool(truth) => Err(InvalidTimestamp(truth.to_string())),
            Value::Array(_) => Err(InvalidTimestamp("a list".to_owned())),
            Value::Object(_) => Err(InvalidTimestamp("an object".to_owned())),
        }
    }

    /// The instant as this library writes it: UTC with exactly six digits of fraction,
    /// so that texts sort as the instants do.
    #[must_use]
    pub fn from_unix_nanos(unix_nanos: i128) -> Self {
        let nanos = unix_nanos.max(0);
        let seconds = i64::try_from(nanos / NANOS_PER_SECOND).unwrap_or(i64::MAX);
        let fraction = u32::try_from(nanos % NANOS_PER_SECOND).unwrap_or(0);
        let instant =
            DateTime::<Utc>::from_timestamp(seconds, fraction).unwrap_or(DateTime::<Utc>::MAX_UTC);
        let text = instant.to_rfc3339_opts(SecondsFormat::Micros, true);
        let micros = nanos - nanos % 1_000;
        Self {
            verbatim: Verbatim::Text(text.into()),
            unix_nanos: micros,
        }
    }

    /// Milliseconds since 1970, in the form of [`Timestamp::from_unix_nanos`].
    #[must_use]
    pub fn from_unix_millis(millis: i64) -> Self {
        Self::from_unix_nanos(i128::from(millis) * NANOS_PER_MILLI)
    }

    /// Nanoseconds since 1970.
    #[must_use]
    pub fn unix_nanos(&self) -> i128 {
        self.unix_nanos
    }

    /// Whole milliseconds since 1970, rounded down.
    #[must_use]
    pub fn unix_millis(&self) -> i64 {
        i64::try_from(self.unix_nanos / NANOS_PER_MILLI).unwrap_or(i64::MAX)
    }

    /// Exactly what was read: a string or a number.
    #[must_use]
    pub fn to_json(&self) -> Value {
        match &self.verbatim {
            Verbatim::Text(text) => Value::from(&**text),
            Verbatim::Number(number) => Value::from(*number),
        }
    }

    /// The same instant in UTC, in RFC 3339 with as many digits as it needs; for servers that are
    /// asked in text whatever they wrote.
    #[must_use]
    pub fn to_rfc3339_utc(&self) -> String {
        let seconds = i64::try_from(self.unix_nanos / NANOS_PER_SECOND).unwrap_or(i64::MAX);
        let fraction = u32::try_from(self.unix_nanos % NANOS_PER_SECOND).unwrap_or(0);
        DateTime::<Utc>::from_timestamp(seconds, fraction)
            .unwrap_or(DateTime::<Utc>::MAX_UTC)
            .to_rfc3339_opts(SecondsFormat::AutoSi, true)
    }

    /// The unit in which this stamp was written, for overlap: the place value of its last digit.
    #[must_use]
    pub fn precision(&self) -> Duration {
        match &self.verbatim {
            Verbatim::Number(number) if *number < FIRST_MILLISECONDS => Duration::from_secs(1),
            Verbatim::Number(_) => Duration::from_millis(1),
            Verbatim::Text(text) => match text.find(['.', ',']) {
                None => Duration::from_secs(1),
                Some(dot) => {
                    let digits = text[dot + 1..]
                        .bytes()
                        .take_while(u8::is_ascii_digit)
                        .count();
                    let exponent = u32::try_from(digits.min(9)).unwrap_or(9);
                    Duration::from_nanos(10_u64.pow(9 - exponent))
                }
            },
        }
    }

    /// The latest stamp that is believed when the server's clock shows this: a day later.
    #[must_use]
    pub fn latest_believable(&self) -> Self {
        self.plus(Duration::from_secs(24 * 3600))
    }

    /// This instant moved later; the result is written as [`Timestamp::from_unix_nanos`] does.
    #[must_use]
    pub fn plus(&self, duration: Duration) -> Self {
        let nanos = i128::try_from(duration.as_nanos()).unwrap_or(i128::MAX);
        Self::from_unix_nanos(self.unix_nanos.saturating_add(nanos))
    }

    /// This instant moved earlier, not before 1970.
    #[must_use]
    pub fn minus(&self, duration: Duration) -> Self {
        let nanos = i128::try_from(duration.as_nanos()).unwrap_or(i128::MAX);
        Self::from_unix_nanos(self.unix_nanos.saturating_sub(nanos))
    }
}

/// Days from the civil date, then exact arithmetic: no float, any number of fraction digits.
fn parse_rfc3339(text: &str) -> Option<i128> {
    let bytes = text.as_bytes();
    let digits = |range: std::ops::Range<usize>| -> Option<u32> {
        let part = bytes.get(range)?;
        part.iter().all(u8::is_ascii_digit).then_some(())?;
        std::str::from_utf8(part).ok()?.parse().ok()
    };
    let is = |at: usize, any: &[u8]| bytes.get(at).is_some_and(|byte| any.contains(byte));
    let shape = is(4, b"-") && is(7, b"-") && is(10, b"Tt ") && is(13, b":") && is(16, b":");
    shape.then_some(())?;
    let date = NaiveDate::from_ymd_opt(
        i32::try_from(digits(0..4)?).ok()?,
        digits(5..7)?,
        digits(8..10)?,
    )?;
    let (hour, minute, second) = (digits(11..13)?, digits(14..16)?, digits(17..19)?);
    (hour < 24 && minute < 60 && second <= 60).then_some(())?;

    let mut at = 19;
    let mut nanos = 0_i128;
    if is(at, b".") {
        let fraction = bytes[at + 1..]
            .iter()
            .take_while(|byte| byte.is_ascii_digit());
        let mut unit = NANOS_PER_SECOND;
        let mut count = 0;
        for digit in fraction {
            unit /= 10;
            nanos += i128::from(digit - b'0') * unit;
            count += 1;
        }
        (count > 0).then_some(())?;
        at += 1 + count;
    }
    let offset_minutes = match bytes.get(at..)? {
        b"" | b"Z" | b"z" => 0,
        [sign @ (b'+' | b'-'), rest @ ..] if rest.len() == 5 && rest[2] == b':' => {
            let (hours, minutes) = (digits(at + 1..at + 3)?, digits(at + 4..at + 6)?);
            (hours < 24 && minutes < 60).then_some(())?;
            let total = i128::from(hours * 60 + minutes);
            if *sign == b'-' { -total } else { total }
        }
        _ => return None,
    };
    let days = i128::from(
        date.signed_duration_since(NaiveDate::from_ymd_opt(1970, 1, 1)?)
            .num_days(),
    );
    let seconds =
        days * 86_400 + i128::from(hour * 3600 + minute * 60 + second) - offset_minutes * 60;
    Some(seconds * NANOS_PER_SECOND + nanos)
}

impl PartialEq for Timestamp {
    fn eq(&self, other: &Self) -> bool {
        self.unix_nanos == other.unix_nanos
    }
}
impl Eq for Timestamp {}
impl PartialOrd for Timestamp {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}
impl Ord for Timestamp {
    fn cmp(&self, other: &Self) -> Ordering {
        self.unix_nanos.cmp(&other.unix_nanos)
    }
}
impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.verbatim {
            Verbatim::Text(text) => f.write_str(text),
            Verbatim::Number(number) => write!(f, "{number}"),
        }
    }
}
impl fmt::Debug for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}
impl Serialize for Timestamp {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.to_json().serialize(serializer)
    }
}
impl<'de> Deserialize<'de> for Timestamp {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let value = Value::deserialize(deserializer)?;
        Self::from_json(&value).map_err(serde::de::Error::custom)
    }
}
impl From<DateTime<Utc>> for Timestamp {
    fn from(instant: DateTime<Utc>) -> Self {
        let nanos = i128::from(instant.timestamp()) * NANOS_PER_SECOND
            + i128::from(instant.timestamp_subsec_nanos());
        Self::from_unix_nanos(nanos)
    }
}
