//! Bodies: collected within limits, then told apart.

use serde::Deserialize;
use serde_json::Value;
use sync_core::transport::{TransportError, TransportErrorKind};

use super::Head;

/// How deep an answer may be nested.
const MAX_DEPTH: u32 = 128;
const BYTE_ORDER_MARK: &[u8] = b"\xEF\xBB\xBF";

/// A body that arrives piece by piece and is refused as soon as it passes a limit.
#[derive(Debug)]
pub(crate) struct BodyBuffer {
    bytes: Vec<u8>,
    limit: usize,
    depth: u32,
    in_text: bool,
    escaped: bool,
}

impl BodyBuffer {
    pub(crate) fn new(limit: usize) -> Self {
        Self {
            bytes: Vec::new(),
            limit,
            depth: 0,
            in_text: false,
            escaped: false,
        }
    }

    pub(crate) fn push(&mut self, piece: &[u8]) -> Result<(), TransportError> {
        if piece.len() > self.limit - self.bytes.len() {
            return Err(too_large(self.limit));
        }
        for byte in piece {
            self.measure(*byte);
            if self.depth > MAX_DEPTH {
                let message = format!("answer is nested deeper than {MAX_DEPTH} levels");
                return Err(TransportError::new(TransportErrorKind::TooLarge, message));
            }
        }
        self.bytes.extend_from_slice(piece);
        Ok(())
    }

    pub(crate) fn finish(self) -> CheckedBody {
        CheckedBody(self.bytes)
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
        match byte {
            b'"' => self.in_text = true,
            b'[' | b'{' => self.depth += 1,
            b']' | b'}' => self.depth = self.depth.saturating_sub(1),
            _ => {}
        }
    }
}

pub(crate) fn too_large(limit: usize) -> TransportError {
    let message =
        format!("answer is larger than {limit} bytes: ask for smaller pages or raise the limit");
    TransportError::new(TransportErrorKind::TooLarge, message)
}

/// A whole body within the limits of size and depth.
#[derive(Debug, Default)]
pub(crate) struct CheckedBody(Vec<u8>);

/// What a body is.
#[derive(Debug)]
pub(crate) enum Body {
    Empty,
    Json(Value),
    /// A web page: of a proxy, a captive portal, a wrong route.
    Html,
    /// Neither.
    Unreadable,
}

impl Body {
    /// Judged by content: servers and proxies label bodies wrongly in both directions.
    pub(crate) fn read(head: &Head, body: &CheckedBody) -> Self {
        let bytes = body.0.strip_prefix(BYTE_ORDER_MARK).unwrap_or(&body.0);
        let bytes = bytes.trim_ascii();
        if bytes.is_empty() {
            return Self::Empty;
        }
        if let Some(value) = parse(bytes) {
            return Self::Json(value);
        }
        let labelled = head
            .content_type
            .as_deref()
            .is_some_and(|label| label.contains("html"));
        if labelled || begins_like_html(bytes) {
            Self::Html
        } else {
            Self::Unreadable
        }
    }

    pub(crate) fn json(&self) -> Option<&Value> {
        match self {
            Self::Json(value) => Some(value),
            Self::Empty | Self::Html | Self::Unreadable => None,
        }
    }
}

fn parse(bytes: &[u8]) -> Option<Value> {
    let mut json = serde_json::Deserializer::from_slice(bytes);
    // serde_json stops one level early; `BodyBuffer` has measured the depth.
    json.disable_recursion_limit();
    let value = Value::deserialize(&mut json).ok()?;
    json.end().ok()?;
    Some(value)
}

fn begins_like_html(bytes: &[u8]) -> bool {
    let start: Vec<u8> = bytes.iter().take(512).map(u8::to_ascii_lowercase).collect();
    let mentions_html = || start.windows(5).any(|part| part == b"<html");
    start.starts_with(b"<") && (!start.starts_with(b"<?xml") || mentions_html())
}
