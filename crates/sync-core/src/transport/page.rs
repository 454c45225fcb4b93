//! One page of a pull.

use std::fmt;

use serde_json::Value;

use crate::contents::Contents;
use crate::id::EntityId;

/// One page.
///
/// ```
/// # use serde_json::json;
/// # use sync_core::transport::PullPage;
/// let mut page = PullPage::new(vec![json!({"id": "milk", "updated_at": "2026-03-01T12:00:00Z"})]);
/// page.next_page_token = Some("2".to_owned());
/// ```
#[derive(Clone, Default, PartialEq)]
#[non_exhaustive]
pub struct PullPage {
    /// The rows as they came; what is not a usable record is the engine's to set aside.
    pub items: Vec<Value>,
    /// Rows that no [`Value`] can hold as they came; the engine sets them aside.
    pub unreadable: Vec<UnreadableItem>,
    /// Size of the answer in bytes, as far as the transport knows it: large pages do not wait for
    /// each other in memory.
    pub bytes: u64,
    /// Token of the next page of this chain; `None` = no token.
    pub next_page_token: Option<String>,
    /// The server's own cursor behind this page.
    pub next_cursor: Option<String>,
    /// How many rows there are in all, where the server says so.
    pub total: Option<u64>,
}

impl PullPage {
    /// A page of these rows, without a token.
    #[must_use]
    pub fn new(items: Vec<Value>) -> Self {
        Self {
            items,
            ..Self::default()
        }
    }
}

/// Without contents.
impl fmt::Debug for PullPage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PullPage")
            .field("rows", &self.items.len())
            .field("items", &Contents(&self.items))
            .field("unreadable", &self.unreadable)
            .field("bytes", &self.bytes)
            .field("next_page_token", &self.next_page_token)
            .field("next_cursor", &self.next_cursor)
            .field("total", &self.total)
            .finish()
    }
}

/// A row of a page that no [`Value`] can hold as it came: an integer beyond 64 bits would be
/// rounded, half a surrogate pair is no text.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct UnreadableItem {
    /// Its id, where that can be read.
    pub id: Option<EntityId>,
    /// The row to the letter.
    pub text: Contents<String>,
    /// What is wrong with it.
    pub reason: String,
}

impl UnreadableItem {
    /// A row that could not be read.
    #[must_use]
    pub fn new(id: Option<EntityId>, text: impl Into<String>, reason: impl Into<String>) -> Self {
        Self {
            id,
            text: Contents(text.into()),
            reason: reason.into(),
        }
    }
}
