//! Paths below the base URL, percent-encoded, without a leading slash.

/// Health.
pub const HEALTH: &str = "health";
/// The live channel.
pub const EVENTS: &str = "events";
/// The usual path of batches.
pub const BATCH: &str = "batch";

/// `{kind}`: the records of a kind.
#[must_use]
pub fn collection(kind: &str) -> String {
    segment(kind)
}

/// `{kind}/{id}`: one record.
///
/// ```
/// assert_eq!(sync_rest::wire::path::record("todos", "a/b?c"), "todos/a%2Fb%3Fc");
/// ```
#[must_use]
pub fn record(kind: &str, id: &str) -> String {
    format!("{}/{}", segment(kind), segment(id))
}

/// One path segment: everything but RFC 3986's unreserved characters is percent-encoded, so that an
/// id can neither leave its segment nor be decoded into another one.
#[must_use]
pub fn segment(text: &str) -> String {
    let mut encoded = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.' | b'~') {
            encoded.push(char::from(byte));
        } else {
            encoded.push('%');
            encoded.push(hex_digit(byte >> 4));
            encoded.push(hex_digit(byte & 0xF));
        }
    }
    encoded
}

/// A path of several segments, each percent-encoded, without slashes at its ends.
#[must_use]
pub fn segments(path: &str) -> String {
    let segments = path.trim_matches('/').split('/').map(segment);
    segments.collect::<Vec<_>>().join("/")
}

fn hex_digit(nibble: u8) -> char {
    char::from_digit(u32::from(nibble), 16).map_or('0', |digit| digit.to_ascii_uppercase())
}
