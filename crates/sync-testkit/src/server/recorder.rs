//! What the server was asked.

use std::collections::BTreeMap;
use std::fmt;

use serde_json::Value;

use super::routes::Action;

/// One request as it arrived.
#[derive(Clone, PartialEq)]
#[non_exhaustive]
pub struct RecordedRequest {
    /// `GET`, `PUT`, …
    pub method: String,
    /// The path as it was sent, percent-encoded.
    pub path: String,
    /// The query parameters, decoded; of repeated ones the last.
    pub query: BTreeMap<String, String>,
    /// The headers by lower-case name; of repeated ones the last.
    pub headers: BTreeMap<String, String>,
    /// The body, decompressed; `None` if there was none or it is not JSON.
    pub body: Option<Value>,
    pub(crate) action: Action,
}

impl RecordedRequest {
    /// One header; the name in any case.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers
            .get(&name.to_ascii_lowercase())
            .map(String::as_str)
    }

    /// One query parameter.
    #[must_use]
    pub fn query(&self, name: &str) -> Option<&str> {
        self.query.get(name).map(String::as_str)
    }

    /// The kind that the path names.
    #[must_use]
    pub fn kind(&self) -> Option<&str> {
        self.action.kind()
    }

    /// The id that the path names, decoded.
    #[must_use]
    pub fn id(&self) -> Option<&str> {
        self.action.id()
    }

    /// Is it a `PUT`, a `DELETE` or a batch?
    #[must_use]
    pub fn is_push(&self) -> bool {
        matches!(
            self.action,
            Action::Put { .. } | Action::Delete { .. } | Action::Batch
        )
    }

    /// Is it a pull of this kind?
    #[must_use]
    pub fn is_pull(&self, kind: &str) -> bool {
        matches!(&self.action, Action::List { kind: listed } if listed == kind)
    }

    /// Is it a fetch of one record?
    #[must_use]
    pub fn is_fetch(&self) -> bool {
        matches!(self.action, Action::Fetch { .. })
    }
}

/// Everything but the value of `Authorization`.
impl fmt::Debug for RecordedRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut headers = self.headers.clone();
        if let Some(secret) = headers.get_mut("authorization") {
            "…".clone_into(secret);
        }
        f.debug_struct("RecordedRequest")
            .field("method", &self.method)
            .field("path", &self.path)
            .field("query", &self.query)
            .field("headers", &headers)
            .field("body", &self.body)
            .finish_non_exhaustive()
    }
}
