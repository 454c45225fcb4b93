//! Reading: the query and answer of a pull, and live events.

use std::fmt;

use serde::{Deserialize, Serialize};
use serde_json::Value;
use sync_core::contents::Contents;

use super::query;

/// The query of `GET /{kind}`. Filter parameters of an application stand beside it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PullQuery {
    /// Rows changed at or after this instant; the client always sends it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub updated_since: Option<String>,
    /// Rows a page may have; a server may cap it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit: Option<u32>,
    /// With tombstones?
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub include_deleted: Option<bool>,
    /// Id of the last row already seen at `updated_since`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub after_id: Option<String>,
    /// The server's token for the next page of a chain.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub page_token: Option<String>,
    /// The server's own cursor.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cursor: Option<String>,
}

impl PullQuery {
    /// The parameters that are set, by name, in a fixed order.
    #[must_use]
    pub fn pairs(&self) -> Vec<(&'static str, String)> {
        let named = [
            (query::UPDATED_SINCE, self.updated_since.clone()),
            (query::LIMIT, self.limit.map(|limit| limit.to_string())),
            (
                query::INCLUDE_DELETED,
                self.include_deleted.map(|with| with.to_string()),
            ),
            (query::AFTER_ID, self.after_id.clone()),
            (query::PAGE_TOKEN, self.page_token.clone()),
            (query::CURSOR, self.cursor.clone()),
        ];
        let set = named.into_iter();
        set.filter_map(|(name, value)| Some((name, value?)))
            .collect()
    }
}

/// The answer to `GET /{kind}`.
///
/// ```
/// # use serde_json::json;
/// # use sync_rest::wire::PullResponse;
/// let page = PullResponse {
///     items: vec![json!({"id": "milk", "updated_at": "2026-03-01T12:00:00.000000Z"})],
///     next_page_token: None, // the last page, or a server whose clients go on by `afterId`
///     ..PullResponse::default()
/// };
/// ```
#[derive(Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PullResponse {
    /// The records, ascending by stamp and id.
    pub items: Vec<Value>,
    /// Token of the next page; null = this was the last one.
    #[serde(default)]
    pub next_page_token: Option<String>,
    /// The server's own cursor behind this page.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next_cursor: Option<String>,
    /// How many rows there are in all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub total: Option<u64>,
}

/// Without contents.
impl fmt::Debug for PullResponse {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PullResponse")
            .field("rows", &self.items.len())
            .field("items", &Contents(&self.items))
            .field("next_page_token", &self.next_page_token)
            .field("next_cursor", &self.next_cursor)
            .field("total", &self.total)
            .finish()
    }
}

/// The query of `DELETE /{kind}/{id}`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeleteQuery {
    /// The verbatim stamp that the delete was made against; a number as its decimal text.
    #[serde(
        rename = "_baseUpdatedAt",
        default,
        skip_serializing_if = "Option::is_none"
    )]
    pub base_updated_at: Option<String>,
}

/// The data of a live event: a wake-up that carries no records.
///
/// ```
/// # use sync_rest::wire::ChangeEvent;
/// let event = ChangeEvent { kind: "todos".into(), cursor: None };
/// assert_eq!(serde_json::to_string(&event).unwrap(), r#"{"kind":"todos"}"#);
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ChangeEvent {
    /// The kind that changed.
    pub kind: String,
    /// The server's cursor behind the change.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cursor: Option<String>,
}
