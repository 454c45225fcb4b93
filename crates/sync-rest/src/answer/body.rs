//! Bodies: collected within limits, then told apart.

use serde::Deserialize;
use serde_json::Value;
use sync_core::transport::{TransportError, TransportErrorKind};

use super::Head;

/// How deep an answer may be nested.
const MAX_DEPTH: u32 = 128;
const BYTE_ORDER_MARK: &[u8] = b"\xEF\xBB\xBF";

/// What parsed JSON may take in memory, as a multiple of the limit for its text.
const MEMORY_FACTOR: u64 = 8;
/// Little answers may be as dense as they like.
const MEMORY_FLOOR: u64 = 16 * 1024 * 1024;
/// About what a parsed value takes: an object that is not empty has room for eleven fields.
const OBJECT_BYTES: u64 = 640;
const VALUE_BYTES: u64 = 64;

/// An integer of so many digits may be beyond 64 bits.
const LONG_INTEGER: u32 = 19;

const NO_JSON: &str = "the answer is not JSON";
const ROUNDED: &str = "the answer has an integer beyond 64 bits, which would be rounded";

/// A body that arrives piece by piece and is refused as soon as it passes a limit.
#[derive(Debug)]
pub(crate) struct BodyBuffer {
    bytes: Vec<u8>,
    limit: usize,
    depth: u32,
    in_text: bool,
    escaped: bool,
    /// About what the values so far take in memory.
    memory: u64,
    /// Digits at the end of what came so far.
    digits: u32,
    has_long_integer: bool,
}

impl BodyBuffer {
    pub(crate) fn new(limit: usize) -> Self {
        Self {
            bytes: Vec::new(),
            limit,
            depth: 0,
            in_text: false,
            escaped: false,
            memory: 0,
            digits: 0,
            has_long_integer: false,
        }
    }

    pub(crate) fn push(&mut self, piece: &[u8]) -> Result<(), TransportError> {
        if piece.len() > self.limit - self.bytes.len() {
            return Err(too_large(self.limit));
        }
        let limit = u64::try_from(self.limit).unwrap_or(u64::MAX);
        let most_memory = limit.saturating_mul(MEMORY_FACTOR).max(MEMORY_FLOOR);
        for byte in piece {
            self.measure(*byte);
            if self.depth > MAX_DEPTH {
                let message = format!("answer is nested deeper than {MAX_DEPTH} levels");
                return Err(TransportError::new(TransportErrorKind::TooLarge, message));
            }
            if self.memory > most_memory {
                let message = "answer is made of too many small values: ask for smaller pages or raise the limit";
                return Err(TransportError::new(TransportErrorKind::TooLarge, message));
            }
        }
        self.bytes.extend_from_slice(piece);
        Ok(())
    }

    pub(crate) fn finish(self) -> CheckedBody {
        CheckedBody {
            bytes: self.bytes,
            has_long_integer: self.has_long_integer,
        }
    }

    fn measure(&mut self, byte: u8) {
        if self.in_text {
            match byte {
                _ if self.escaped => self.escaped = false,
                b'\\' => self.escaped = true,
                b'"' => self.in_text = false,
                _ => {}
            }
            return;
        }
        if byte.is_ascii_digit() {
            self.digits += 1;
            self.has_long_integer |= self.digits >= LONG_INTEGER;
            return;
        }
        self.digits = 0;
        match byte {
            b'"' => self.in_text = true,
            b'[' => {
                self.depth += 1;
                self.memory += VALUE_BYTES;
            }
            b'{' => {
                self.depth += 1;
                self.memory += OBJECT_BYTES;
            }
            b']' | b'}' => self.depth = self.depth.saturating_sub(1),
            b',' => self.memory += VALUE_BYTES,
            _ => {}
        }
    }
}

pub(crate) fn too_large(limit: usize) -> TransportError {
    let message =
        format!("answer is larger than {limit} bytes: ask for smaller pages or raise the limit");
    TransportError::new(TransportErrorKind::TooLarge, message)
}

/// A whole body within the limits.
#[derive(Default)]
pub(crate) struct CheckedBody {
    bytes: Vec<u8>,
    has_long_integer: bool,
}

impl CheckedBody {
    /// What is left without a byte order mark and white space around it.
    pub(super) fn trimmed(&self) -> &[u8] {
        let bytes = self.bytes.strip_prefix(BYTE_ORDER_MARK);
        bytes.unwrap_or(&self.bytes).trim_ascii()
    }

    pub(super) fn size(&self) -> u64 {
        u64::try_from(self.bytes.len()).unwrap_or(u64::MAX)
    }
}

/// What a body is.
#[derive(Debug)]
pub(crate) enum Body {
    Empty,
    Json(Value),
    /// A web page: of a proxy, a captive portal, a wrong route.
    Html,
    /// Neither, or JSON that cannot be held as it is; and why.
    Unreadable(&'static str),
}

impl Body {
    /// Judged by content: servers and proxies label bodies wrongly in both directions.
    pub(crate) fn read(head: &Head, body: &CheckedBody) -> Self {
        let bytes = body.trimmed();
        if bytes.is_empty() {
            return Self::Empty;
        }
        if let Some(value) = parse(bytes) {
            if body.has_long_integer && has_rounded_integer(bytes) {
                return Self::Unreadable(ROUNDED);
            }
            return Self::Json(value);
        }
        let labelled = head
            .content_type
            .as_deref()
            .is_some_and(|label| label.contains("html"));
        if labelled || begins_like_html(bytes) {
            Self::Html
        } else {
            Self::Unreadable(NO_JSON)
        }
    }

    pub(crate) fn json(&self) -> Option<&Value> {
        match self {
            Self::Json(value) => Some(value),
            Self::Empty | Self::Html | Self::Unreadable(_) => None,
        }
    }
}

fn parse(bytes: &[u8]) -> Option<Value> {
    parse_value(bytes).ok()
}

fn parse_value(bytes: &[u8]) -> Result<Value, serde_json::Error> {
    let mut json = serde_json::Deserializer::from_slice(bytes);
    // serde_json stops one level early; `BodyBuffer` has measured the depth.
    json.disable_recursion_limit();
    let value = Value::deserialize(&mut json)?;
    json.end()?;
    Ok(value)
}

/// A part of a body as it came, or why it cannot be held so.
pub(super) fn exactly(part: &str) -> Result<Value, String> {
    let value = parse_value(part.as_bytes()).map_err(|error| error.to_string())?;
    if has_rounded_integer(part.as_bytes()) {
        return Err("it has an integer beyond 64 bits, which would be rounded".to_owned());
    }
    Ok(value)
}

/// Has this JSON an integer that neither an `i64` nor a `u64` holds?
fn has_rounded_integer(json: &[u8]) -> bool {
    let (mut in_text, mut escaped) = (false, false);
    let mut start = None;
    // A last byte that ends a number that ends the text.
    for (at, byte) in json.iter().copied().chain([b' ']).enumerate() {
        if in_text {
            match byte {
                _ if escaped => escaped = false,
                b'\\' => escaped = true,
                b'"' => in_text = false,
                _ => {}
            }
        } else if matches!(byte, b'0'..=b'9' | b'-' | b'+' | b'.' | b'e' | b'E') {
            start.get_or_insert(at);
        } else {
            if let Some(from) = start.take()
                && json.get(from..at).is_some_and(is_rounded)
            {
                return true;
            }
            in_text = byte == b'"';
        }
    }
    false
}

fn is_rounded(number: &[u8]) -> bool {
    let digits = number.strip_prefix(b"-").unwrap_or(number);
    let is_integer = !digits.is_empty() && digits.iter().all(u8::is_ascii_digit);
    let held = || {
        let text = std::str::from_utf8(number).unwrap_or_default();
        text.parse::<i64>().is_ok() || text.parse::<u64>().is_ok()
    };
    is_integer && !held()
}

fn begins_like_html(bytes: &[u8]) -> bool {
    let start: Vec<u8> = bytes.iter().take(512).map(u8::to_ascii_lowercase).collect();
    let mentions_html = || start.windows(5).any(|part| part == b"<html");
    start.starts_with(b"<") && (!start.starts_with(b"<?xml") || mentions_html())
}
