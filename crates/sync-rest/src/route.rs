//! Where a kind lives on a server and how the server names its fields.

use std::fmt;

use sync_core::{Kind, Record};

use crate::wire::path;

/// How one kind is reached, where a server differs from the protocol.
///
/// Field names are translated on the way in and back on the way out, so that the rest of the
/// library sees `id`, `updated_at` and `deleted_at` only.
///
/// ```
/// use sync_rest::KindRoute;
///
/// let route = KindRoute::new()
///     .path("v2/users/1/todos")
///     .items_field("data")
///     .next_token_field("next")
///     .id_field("_id")
///     .stamp_field("modified")
///     .tombstone_field("removed")
///     .header("X-Tenant", "acme")
///     .query("expand", "none");
/// # let _ = route;
/// ```
#[derive(Clone)]
pub struct KindRoute {
    pub(crate) path: Option<String>,
    /// `None` = the body itself is the list.
    pub(crate) items_field: Option<String>,
    pub(crate) next_token_field: String,
    pub(crate) names: Names,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) query: Vec<(String, String)>,
}

impl Default for KindRoute {
    fn default() -> Self {
        Self {
            path: None,
            items_field: Some("items".to_owned()),
            next_token_field: "nextPageToken".to_owned(),
            names: Names::default(),
            headers: Vec::new(),
            query: Vec::new(),
        }
    }
}

impl KindRoute {
    /// The route of the protocol: path = kind, fields as they are.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Path of the collection below the base URL; each segment is percent-encoded. Default: the kind.
    #[must_use]
    pub fn path(mut self, path: impl Into<String>) -> Self {
        self.path = Some(path.into());
        self
    }

    /// Field of a page that holds the list. Default: `items`.
    #[must_use]
    pub fn items_field(mut self, field: impl Into<String>) -> Self {
        self.items_field = Some(field.into());
        self
    }

    /// A page is a bare JSON list (and has no token).
    #[must_use]
    pub fn bare_list(mut self) -> Self {
        self.items_field = None;
        self
    }

    /// Field of a page that holds the next page's token, text or number. Default: `nextPageToken`.
    #[must_use]
    pub fn next_token_field(mut self, field: impl Into<String>) -> Self {
        self.next_token_field = field.into();
        self
    }

    /// The server's name of `id`.
    #[must_use]
    pub fn id_field(self, server: impl Into<String>) -> Self {
        self.rename(server, "id")
    }

    /// The server's name of `updated_at`.
    #[must_use]
    pub fn stamp_field(self, server: impl Into<String>) -> Self {
        self.rename(server, "updated_at")
    }

    /// The server's name of `deleted_at`; true or any text there marks a deletion.
    #[must_use]
    pub fn tombstone_field(self, server: impl Into<String>) -> Self {
        self.rename(server, "deleted_at")
    }

    /// Any top-level field: the server's name, and the one that the rest of the library sees.
    /// A field that bears the other name already takes the first one, so that nothing is lost.
    #[must_use]
    pub fn rename(mut self, server: impl Into<String>, local: impl Into<String>) -> Self {
        self.names.0.push((server.into(), local.into()));
        self
    }

    /// A header of every request of this kind; its value is kept out of logs.
    #[must_use]
    pub fn header(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.headers.push((name.into(), value.into()));
        self
    }

    /// A query parameter of every request of this kind; its value is kept out of logs.
    #[must_use]
    pub fn query(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.query.push((name.into(), value.into()));
        self
    }

    /// Path of the collection, encoded, without slashes at its ends.
    pub(crate) fn collection(&self, kind: &Kind) -> String {
        self.path
            .as_deref()
            .map_or_else(|| path::collection(kind.as_str()), path::segments)
    }
}

impl fmt::Debug for KindRoute {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names = |pairs: &[(String, String)]| {
            let names = pairs.iter().map(|(name, _)| name.clone());
            names.collect::<Vec<_>>()
        };
        f.debug_struct("KindRoute")
            .field("path", &self.path)
            .field("items_field", &self.items_field)
            .field("next_token_field", &self.next_token_field)
            .field("names", &self.names)
            .field("headers", &names(&self.headers))
            .field("query", &names(&self.query))
            .finish()
    }
}

/// Pairs of (server's name, local name). Translating swaps the two, which is its own inverse.
#[derive(Debug, Clone, Default)]
pub(crate) struct Names(Vec<(String, String)>);

impl Names {
    pub(crate) fn to_canonical(&self, record: &mut Record) {
        for (server, local) in &self.0 {
            swap(record, server, local);
        }
    }

    pub(crate) fn to_server(&self, record: &mut Record) {
        for (server, local) in self.0.iter().rev() {
            swap(record, server, local);
        }
    }

    /// The server's name of one local field.
    pub(crate) fn server_name(&self, field: &str) -> String {
        self.0
            .iter()
            .rev()
            .fold(field.to_owned(), |name, (server, local)| {
                if name == *local {
                    server.clone()
                } else if name == *server {
                    local.clone()
                } else {
                    name
                }
            })
    }
}

fn swap(record: &mut Record, a: &str, b: &str) {
    let fields = record.fields_mut();
    let (at_a, at_b) = (fields.remove(a), fields.remove(b));
    fields.extend(at_a.map(|value| (b.to_owned(), value)));
    fields.extend(at_b.map(|value| (a.to_owned(), value)));
}
