//! An answer before it becomes bytes, so that faults can still change it.

use std::io::Write;

use axum::body::Body;
use axum::http::{HeaderName, HeaderValue, StatusCode, header};
use axum::response::Response;
use flate2::Compression;
use flate2::write::GzEncoder;
use serde::Serialize;
use serde_json::Value;
use sync_rest::wire::{ConflictBody, ErrorBody};

use super::write::Outcome;

#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Reply {
    pub(crate) status: u16,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: ReplyBody,
}

#[derive(Debug, Clone, PartialEq)]
pub(crate) enum ReplyBody {
    Empty,
    Json(Value),
    Raw(String),
}

impl Reply {
    pub(crate) fn empty(status: u16) -> Self {
        Self {
            status,
            headers: Vec::new(),
            body: ReplyBody::Empty,
        }
    }

    pub(crate) fn json(status: u16, body: impl Serialize) -> Self {
        let body = serde_json::to_value(body).map_or(ReplyBody::Empty, ReplyBody::Json);
        Self {
            body,
            ..Self::empty(status)
        }
    }

    pub(crate) fn raw(status: u16, content_type: &str, body: impl Into<String>) -> Self {
        Self {
            body: ReplyBody::Raw(body.into()),
            ..Self::empty(status)
        }
        .with_header(header::CONTENT_TYPE.as_str(), content_type)
    }

    pub(crate) fn error(status: u16, error: &str, message: impl Into<String>) -> Self {
        let body = ErrorBody {
            error: error.to_owned(),
            message: Some(message.into()),
        };
        Self::json(status, body)
    }

    pub(crate) fn with_header(mut self, name: &str, value: impl Into<String>) -> Self {
        self.headers.push((name.to_ascii_lowercase(), value.into()));
        self
    }

    pub(crate) fn with_tag(self, tag: Option<String>) -> Self {
        match tag {
            Some(tag) => self.with_header(header::ETAG.as_str(), tag),
            None => self,
        }
    }

    /// The answer to one write.
    pub(crate) fn of(outcome: Outcome, bodies: bool, etags: bool) -> Self {
        match outcome {
            Outcome::Stored {
                record,
                tag,
                created,
            } => {
                let reply = match record.filter(|_| bodies) {
                    Some(record) => Self::json(if created { 201 } else { 200 }, record),
                    None => Self::empty(204),
                };
                reply.with_tag(tag.filter(|_| etags))
            }
            Outcome::Conflict {
                status,
                current,
                tag,
                stamp,
            } => {
                let body = ConflictBody {
                    error: Some("conflict".to_owned()),
                    current: Some(current),
                    server_timestamp: Some(stamp.to_json()),
                };
                Self::json(status, body).with_tag(tag.filter(|_| etags))
            }
            Outcome::Missing => Self::error(404, "not_found", "no such record"),
        }
    }

    pub(crate) fn json_mut(&mut self) -> Option<&mut Value> {
        match &mut self.body {
            ReplyBody::Json(value) => Some(value),
            ReplyBody::Empty | ReplyBody::Raw(_) => None,
        }
    }

    pub(crate) fn into_response(mut self, gzip: bool) -> Response {
        let bytes = match self.body {
            ReplyBody::Empty => Vec::new(),
            ReplyBody::Raw(text) => text.into_bytes(),
            ReplyBody::Json(value) => {
                let content_type = header::CONTENT_TYPE.as_str().to_owned();
                self.headers
                    .push((content_type, "application/json".to_owned()));
                value.to_string().into_bytes()
            }
        };
        let compressed = (gzip && !bytes.is_empty()).then(|| compress(&bytes));
        let mut response = match compressed {
            Some(compressed) => {
                let name = header::CONTENT_ENCODING.as_str().to_owned();
                self.headers.push((name, "gzip".to_owned()));
                Response::new(Body::from(compressed))
            }
            None => Response::new(Body::from(bytes)),
        };
        *response.status_mut() =
            StatusCode::from_u16(self.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        for (name, value) in self.headers {
            if let (Ok(name), Ok(value)) =
                (HeaderName::try_from(name), HeaderValue::try_from(value))
            {
                response.headers_mut().insert(name, value);
            }
        }
        response
    }
}

fn compress(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    // Writing to memory does not fail.
    let _ = encoder.write_all(bytes);
    encoder.finish().unwrap_or_default()
}
