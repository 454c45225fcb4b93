//! What can be wrong with pulls and fetches.

use serde_json::{Value, json};
use sync_core::transport::PullRequest;
use sync_core::{EntityId, Kind, ServerState, Timestamp, TransportError, TransportErrorKind};

use super::Row;
use crate::wrong::{Call, Flaw, Reply};

pub(super) const PULLS: &[Row] = &[
    (
        "sorts rows",
        tells_rows!(|rows| rows.sort_by_key(Value::to_string)),
        &["rows_come_in_the_order_of_the_server"],
    ),
    (
        "ends no chain",
        Flaw::Tells(|_, reply| match reply {
            Reply::Page(Ok(mut page)) => {
                page.next_page_token = Some(String::new());
                Reply::Page(Ok(page))
            }
            other => other,
        }),
        &[
            "a_kind_without_rows_is_an_empty_page",
            "a_chain_of_tokens_brings_every_row_once",
        ],
    ),
    (
        "knows one kind",
        Flaw::Asks(|call| match call {
            Call::Pull(request) => request.kind = Kind::new("conformance_notes").unwrap(),
            Call::Fetch(request) => request.kind = Kind::new("conformance_notes").unwrap(),
            Call::Push(request) => {
                for op in &mut request.ops {
                    op.kind = Kind::new("conformance_notes").unwrap();
                }
            }
            Call::Health => {}
        }),
        &[
            "pulls_of_kinds_are_apart",
            "fetches_of_kinds_are_apart",
            "kinds_share_a_batch",
        ],
    ),
    (
        "forgets since",
        asks_pull!(|request| request.since = None),
        &[
            "a_pull_from_a_stamp_includes_it",
            "a_pull_from_a_stamp_of_another_zone_means_its_instant",
        ],
    ),
    (
        "skips the stamp itself",
        asks_pull!(|request| request.since = request
            .since
            .as_ref()
            .map(|since| since.plus(std::time::Duration::from_millis(1)))),
        &["a_pull_from_a_stamp_includes_it"],
    ),
    (
        "forgets the zone",
        asks_pull!(|request| request.since = request
            .since
            .as_ref()
            .map(|since| Timestamp::parse(&since.to_string()[..26]).unwrap())),
        &["a_pull_from_a_stamp_of_another_zone_means_its_instant"],
    ),
    (
        "forgets the keyset",
        asks_pull!(|request| request.after_id = None),
        &["a_keyset_passes_over_what_was_seen_of_a_stamp"],
    ),
    (
        "forgets the limit",
        asks_pull!(|request| request.limit = 1_000),
        &["a_limit_is_kept"],
    ),
    (
        "caps the limit",
        asks_pull!(|request| request.limit = request.limit.min(100)),
        &["a_page_may_be_large"],
    ),
    (
        "forgets tokens",
        asks_pull!(|request| request.page_token = None),
        &["a_chain_of_tokens_brings_every_row_once"],
    ),
    (
        "wants no tombstones",
        asks_pull!(|request| request.include_deleted = false),
        &["tombstones_come_where_they_are_asked_for"],
    ),
    (
        "wants tombstones",
        asks_pull!(|request| request.include_deleted = true),
        &["tombstones_stay_away_where_they_are_not_asked_for"],
    ),
    (
        "forgets the filter",
        asks_pull!(|request| request.filter.clear()),
        &["a_filter_is_passed_on_to_the_letter"],
    ),
    (
        "cuts the filter",
        asks_pull!(|request| for (_, value) in &mut request.filter {
            value.truncate(3);
        }),
        &["a_filter_is_passed_on_to_the_letter"],
    ),
    (
        "forgets cursors",
        asks_pull!(|request| request.cursor = None),
        &["a_cursor_of_the_servers_is_echoed"],
    ),
    (
        "mistakes an expired cursor",
        mistakes!(CursorExpired for Rejected),
        &["a_cursor_that_expired_is_named"],
    ),
    (
        "drops nulls",
        tells_rows!(|rows| for row in rows {
            row.as_object_mut()
                .unwrap()
                .retain(|_, value| !value.is_null());
        }),
        &["unknown_fields_come_as_they_are"],
    ),
    (
        "rounds numbers",
        tells_rows!(
            |rows| each_field(rows, |value| if let Some(number) = value.as_f64() {
                *value = json!(number);
            })
        ),
        &["numbers_come_exactly", "stamps_come_to_the_letter"],
    ),
    (
        "trims texts",
        tells_rows!(
            |rows| each_field(rows, |value| if let Some(text) = value.as_str() {
                *value = json!(text.trim());
            })
        ),
        &["texts_come_exactly"],
    ),
    (
        "rewrites stamps",
        tells_rows!(|rows| for row in rows {
            row["updated_at"] = json!(
                Timestamp::from_json(&row["updated_at"])
                    .unwrap()
                    .to_rfc3339_utc()
            );
        }),
        &["stamps_come_to_the_letter"],
    ),
];

pub(super) const FETCHES: &[Row] = &[
    (
        "loses versions",
        tells_state!(without_version),
        &[
            "a_live_record_is_fetched_with_its_version",
            "a_fetch_sees_the_newest_state",
        ],
    ),
    (
        "revives what was deleted",
        tells_state!(|state| match state {
            ServerState::Deleted {
                record: Some(record),
                version,
            } => ServerState::Live { record, version },
            other => other,
        }),
        &["a_deleted_record_is_fetched_as_deleted"],
    ),
    (
        "takes gone for never there",
        tells_state!(|state| if state.is_deleted() {
            ServerState::Absent
        } else {
            state
        }),
        &[
            "a_missing_record_is_fetched_as_gone",
            "a_fetch_answered_404_or_410_is_gone",
            "fetches_of_kinds_are_apart",
        ],
    ),
    (
        "spoils ids",
        Flaw::Asks(|call| {
            let plain = |id: &EntityId| {
                EntityId::new(
                    id.as_str()
                        .replace(|sign: char| !sign.is_alphanumeric(), "_"),
                )
                .unwrap()
            };
            match call {
                Call::Fetch(request) => request.id = plain(&request.id),
                Call::Push(request) => {
                    for op in &mut request.ops {
                        op.id = plain(&op.id);
                    }
                }
                Call::Pull(_) | Call::Health => {}
            }
        }),
        &[
            "ids_of_every_form_are_fetched",
            "ids_of_every_form_are_pushed",
        ],
    ),
    (
        "takes any failure of a fetch for gone",
        Flaw::Tells(|_, reply| match reply {
            Reply::State(Err(_)) => Reply::State(Ok(ServerState::gone())),
            other => other,
        }),
        &[
            "a_fetch_answered_with_another_record_is_no_record",
            "a_web_page_is_no_page_and_no_record",
            "a_read_whose_answer_was_lost_is_an_error",
        ],
    ),
];

fn each_field(rows: &mut [Value], change: fn(&mut Value)) {
    for row in rows {
        let fields = row
            .as_object_mut()
            .into_iter()
            .flat_map(|row| row.values_mut());
        fields.for_each(|value| {
            for value in value.as_array_mut().into_iter().flatten() {
                change(value);
            }
            change(value);
        });
    }
}

fn without_version(state: ServerState) -> ServerState {
    match state {
        ServerState::Live { record, .. } => ServerState::Live {
            record,
            version: None,
        },
        other => other,
    }
}
