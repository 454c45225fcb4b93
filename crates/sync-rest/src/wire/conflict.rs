//! Negative answers.

use std::fmt;

use serde::{Deserialize, Serialize};
use serde_json::Value;
use sync_core::contents::Contents;

/// The body of a 409 or 412 as a server should write it. A client reads the older forms too.
///
/// ```
/// # use serde_json::json;
/// # use sync_rest::wire::ConflictBody;
/// let now = json!({"id": "milk", "title": "Oat", "updated_at": "2026-03-01T12:00:00.000000Z"});
/// let body = ConflictBody {
///     error: Some("conflict".into()),
///     current: Some(now), // a tombstone too; `None` = it is deleted, and nothing is left
///     server_timestamp: None,
/// };
/// ```
#[derive(Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ConflictBody {
    /// For people; `conflict` by habit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
    /// The record as it is now, tombstones included; null = deleted.
    pub current: Option<Value>,
    /// When the server's side was written, if that is not the record's stamp. Serves
    /// last-write-wins only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub server_timestamp: Option<Value>,
}

/// Without contents.
impl fmt::Debug for ConflictBody {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ConflictBody")
            .field("error", &self.error.as_ref().map(Contents))
            .field("current", &self.current.as_ref().map(Contents))
            .field("server_timestamp", &self.server_timestamp)
            .finish()
    }
}

/// The body of any other refusal.
///
/// ```
/// # use sync_rest::wire::ErrorBody;
/// let body = ErrorBody {
///     error: "title_too_long".into(),
///     message: Some("a title has at most 80 characters".into()), // the client shows it
/// };
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ErrorBody {
    /// A short code.
    pub error: String,
    /// For people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
}
