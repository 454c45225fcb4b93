//! `GET /{kind}`.

use std::collections::BTreeMap;

use serde_json::Value;
use sync_rest::wire::{PullQuery, PullResponse};

use crate::server::Shared;
use crate::server::incoming::{Incoming, read_stamp_text};
use crate::server::reply::Reply;
use crate::server::settings::MockServerBuilder;
use crate::server::state::{Row, Table};

const DEFAULT_LIMIT: usize = 100;
const CURSOR_PREFIX: &str = "seq-";

/// Where a row stands in the list.
type Place = (i128, String);

pub(super) fn serve(
    shared: &Shared,
    settings: &MockServerBuilder,
    incoming: &Incoming,
    kind: &str,
) -> Result<Reply, Reply> {
    let query: PullQuery = incoming.typed_query()?;
    let state = shared.state();
    let empty = Table::new();
    let table = state.tables.get(kind).unwrap_or(&empty);

    let selection = Selection::read(settings, &query)?;
    let with_deleted = query.include_deleted.unwrap_or(true);
    let matches = |(_, row): &(&String, &Row)| {
        (with_deleted || !row.deleted)
            && selection.holds(row)
            && passes_filters(settings, &incoming.request.query, row)
    };
    let mut rows: Vec<(Place, &Row)> = table
        .iter()
        .filter(matches)
        .map(|(id, row)| (selection.place(id, row), row))
        .collect();
    rows.sort_by(|(a, _), (b, _)| a.cmp(b));
    let total = rows.len();

    let start = match selection.after(&query)? {
        Some(after) => rows.partition_point(|(place, _)| *place <= after),
        None => 0,
    };
    let asked = query.limit.map_or(DEFAULT_LIMIT, |limit| {
        usize::try_from(limit).unwrap_or(usize::MAX)
    });
    let limit = settings
        .max_limit
        .map_or(asked, |most| asked.min(most))
        .max(1);
    let page = &rows[start..rows.len().min(start.saturating_add(limit))];
    let last = page.last().map(|(place, _)| place);
    let more = start + page.len() < rows.len();
    let next_cursor = settings.cursors.then(|| match last {
        Some((sequence, _)) if more => format!("{CURSOR_PREFIX}{sequence}"),
        // Behind everything, rows that this pull leaves out included.
        _ => format!("{CURSOR_PREFIX}{}", state.sequence()),
    });
    let response = PullResponse {
        items: page.iter().map(|(_, row)| row.value()).collect(),
        next_page_token: last.filter(|_| more && settings.page_tokens).map(token),
        next_cursor,
        total: u64::try_from(total).ok(),
    };
    let mut reply = Reply::json(200, response);
    rename(&mut reply, "items", &settings.envelope.0);
    rename(&mut reply, "nextPageToken", &settings.envelope.1);
    Ok(reply)
}

fn rename(reply: &mut Reply, from: &str, to: &str) {
    if let Some(Value::Object(page)) = reply.json_mut()
        && let Some(value) = page.remove(from)
    {
        page.insert(to.to_owned(), value);
    }
}

/// Which rows a pull is about, and in which order they come.
struct Selection {
    since: i128,
    /// With opaque cursors: rows written after this, in the order of writing. Without: all, by stamp.
    behind: Option<u64>,
}

impl Selection {
    fn read(settings: &MockServerBuilder, query: &PullQuery) -> Result<Self, Reply> {
        if let Some(cursor) = query.cursor.as_deref().filter(|_| settings.cursors) {
            let sequence = cursor
                .strip_prefix(CURSOR_PREFIX)
                .and_then(|text| text.parse().ok());
            let Some(sequence) = sequence else {
                return Err(Reply::error(
                    400,
                    "bad_cursor",
                    "not a cursor of this server",
                ));
            };
            return Ok(Self {
                since: 0,
                behind: Some(sequence),
            });
        }
        let since = query
            .updated_since
            .as_deref()
            .map(read_stamp_text)
            .transpose()?;
        Ok(Self {
            since: since.map_or(0, |stamp| stamp.unix_nanos()),
            behind: settings.cursors.then_some(0),
        })
    }

    fn holds(&self, row: &Row) -> bool {
        row.stamp.unix_nanos() >= self.since && self.behind.is_none_or(|seen| row.sequence > seen)
    }

    fn place(&self, id: &str, row: &Row) -> Place {
        let order = match self.behind {
            Some(_) => i128::from(row.sequence),
            None => row.stamp.unix_nanos(),
        };
        (order, id.to_owned())
    }

    /// The place behind which the page begins: the token's, else the keyset's.
    fn after(&self, query: &PullQuery) -> Result<Option<Place>, Reply> {
        if let Some(token) = &query.page_token {
            let place = token
                .split_once('~')
                .and_then(|(order, id)| Some((order.parse().ok()?, id.to_owned())));
            return match place {
                Some(place) => Ok(Some(place)),
                None => Err(Reply::error(
                    400,
                    "bad_token",
                    "not a page token of this server",
                )),
            };
        }
        let keyset = query.after_id.as_ref().filter(|_| self.behind.is_none());
        Ok(keyset.map(|id| (self.since, id.clone())))
    }
}

fn token((order, id): &Place) -> String {
    format!("{order}~{id}")
}

fn passes_filters(
    settings: &MockServerBuilder,
    query: &BTreeMap<String, String>,
    row: &Row,
) -> bool {
    settings.filters.iter().all(|field| match query.get(field) {
        None => true,
        Some(wanted) => row
            .fields
            .get(field)
            .is_some_and(|value| match value.as_str() {
                Some(text) => text == wanted,
                None => serde_json::from_str(wanted).is_ok_and(|wanted: Value| *value == wanted),
            }),
    })
}
