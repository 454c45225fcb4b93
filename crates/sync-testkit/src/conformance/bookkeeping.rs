//! Cursors, conflicts, quarantine and notes.

use std::sync::Arc;

use serde_json::{Value, json};
use sync_core::store::{ConflictEntry, CursorState, QuarantineCause, QuarantineEntry, ResyncState};
use sync_core::{ServerState, Store, Timestamp, Version};

use super::compare::{assert_same, assert_verbatim};
use super::fixtures::{
    at, id, op_id, plain, reading, record, second, shadow, unregistered, version, wide, writing,
};

fn full_cursor() -> CursorState {
    CursorState {
        since: Some(at("2026-03-01T14:00:00.123456789+02:00")),
        after_id: Some(id("o'brien")),
        opaque: Some("op\"aque".to_owned()),
        page_token: Some("👍".to_owned()),
        reached: Some((Timestamp::from_number(1_772_366_400).unwrap(), id("ä"))),
        unordered: true,
        chain_started: Some(second(1)),
        origin: Some("https://example.org/?a=b".to_owned()),
        pulled: true,
        generation: u32::MAX,
        resync: Some(ResyncState {
            pulled: true,
            clear_data: true,
            restored: true,
        }),
        last_full_resync: Some(second(2)),
        filter: Some(String::new()),
        stamp_unit: 1_000_000_000,
        epoch: Some("é-7".to_owned()),
        restored: 7,
    }
}

pub async fn a_cursor_is_kept(store: Arc<dyn Store>) {
    assert_eq!(reading(&store).await.cursor(&wide()).await.unwrap(), None);
    for cursor in [
        CursorState::default(),
        full_cursor(),
        CursorState::default(),
    ] {
        let mut tx = writing(&store).await;
        tx.put_cursor(&wide(), Some(&cursor)).await.unwrap();
        tx.commit().await.unwrap();
        let found = reading(&store).await.cursor(&wide()).await.unwrap();
        assert_verbatim(&found, &Some(cursor));
    }
    assert_eq!(reading(&store).await.cursor(&plain()).await.unwrap(), None);
}

pub async fn a_cursor_is_forgotten(store: Arc<dyn Store>) {
    let mut tx = writing(&store).await;
    for kind in [wide(), plain(), unregistered()] {
        tx.put_cursor(&kind, Some(&full_cursor())).await.unwrap();
    }
    tx.put_cursor(&wide(), None).await.unwrap();
    tx.put_cursor(&wide(), None).await.unwrap();
    tx.commit().await.unwrap();
    let mut tx = reading(&store).await;
    assert_eq!(tx.cursor(&wide()).await.unwrap(), None);
    assert_eq!(tx.cursor(&plain()).await.unwrap(), Some(full_cursor()));
    assert_eq!(
        tx.cursor(&unregistered()).await.unwrap(),
        Some(full_cursor())
    );
}

fn conflict(op: &str, seconds: u8) -> ConflictEntry {
    ConflictEntry {
        op_id: op_id(op),
        kind: wide(),
        entity_id: id("e1"),
        server: ServerState::gone(),
        server_time: None,
        by_choice: false,
        reason: String::new(),
        detected_at: second(seconds),
    }
}

fn op_names(entries: &[ConflictEntry]) -> Vec<&str> {
    entries.iter().map(|entry| entry.op_id.as_str()).collect()
}

pub async fn a_conflict_is_kept(store: Arc<dyn Store>) {
    let stamp = Version::new(at("2026-03-01T14:00:00.5+02:00"));
    let server = ServerState::Live {
        record: record(json!({"id": "e1", "big": u64::MAX, "null": null, "one": 1.0})),
        version: Some(stamp.with_tag(Some("\"v1\"".to_owned()))),
    };
    let deleted = ServerState::Deleted {
        record: Some(record(json!({"id": "e1", "deleted_at": 1}))),
        version: Some(version(3)),
    };
    for server in [server, deleted, ServerState::Absent] {
        let entry = ConflictEntry {
            server,
            server_time: Some(at("2026-03-01T12:00:00.000000001Z")),
            by_choice: true,
            reason: "o'brien \"waits\"".to_owned(),
            ..conflict("op1", 1)
        };
        let mut tx = writing(&store).await;
        tx.put_conflicts(std::slice::from_ref(&entry))
            .await
            .unwrap();
        tx.commit().await.unwrap();
        let found = reading(&store).await.conflicts(None).await.unwrap();
        assert_verbatim(&found, &vec![entry]);
    }
}

pub async fn conflicts_come_oldest_first(store: Arc<dyn Store>) {
    let mut tx = writing(&store).await;
    let entries = [
        conflict("b", 2),
        conflict("c", 1),
        conflict("d", 3),
        conflict("a", 2),
    ];
    tx.put_conflicts(&entries).await.unwrap();
    assert_eq!(
        op_names(&tx.conflicts(None).await.unwrap()),
        ["c", "a", "b", "d"]
    );
    // One that is found again takes its new place.
    tx.put_conflicts(&[conflict("c", 9), conflict("c", 4)])
        .await
        .unwrap();
    assert_eq!(
        op_names(&tx.conflicts(None).await.unwrap()),
        ["a", "b", "d", "c"]
    );
    let of_one = tx.conflicts(Some(&op_id("b"))).await.unwrap();
    assert_eq!(op_names(&of_one), ["b"]);
    assert_eq!(tx.conflicts(Some(&op_id("x"))).await.unwrap(), []);
}

pub async fn conflicts_are_deleted_by_operation(store: Arc<dyn Store>) {
    let mut tx = writing(&store).await;
    tx.put_conflicts(&[conflict("a", 1), conflict("b", 2), conflict("c", 3)])
        .await
        .unwrap();
    tx.put_conflicts(&[]).await.unwrap();
    tx.delete_conflicts(&[]).await.unwrap();
    tx.delete_conflicts(&["c", "x", "a"].map(op_id))
        .await
        .unwrap();
    assert_eq!(op_names(&tx.conflicts(None).await.unwrap()), ["b"]);
}

fn quarantined(key: &str, row: Value) -> QuarantineEntry {
    QuarantineEntry {
        kind: wide(),
        key: key.to_owned(),
        row,
        tag: None,
        reason: "no title".to_owned(),
        since: second(1),
        cause: QuarantineCause::BadRow,
        schema_version: 1,
    }
}

fn keys(entries: &[QuarantineEntry]) -> Vec<&str> {
    entries.iter().map(|entry| entry.key.as_str()).collect()
}

pub async fn a_quarantined_row_is_kept_exactly(store: Arc<dyn Store>) {
    let rows = [
        json!({"id": "e1", "big": u64::MAX, "null": null, "one": 1.0, "float": 0.1, "é": "'\""}),
        json!("not a row"),
        json!(["a", 1]),
        json!(17),
        json!(null),
    ];
    for row in rows {
        let entry = QuarantineEntry {
            tag: Some("\"v1\"".to_owned()),
            since: at("2026-03-01T12:00:00.250Z"),
            cause: QuarantineCause::ServerRestored,
            ..quarantined("o'brien", row)
        };
        let mut tx = writing(&store).await;
        tx.put_quarantine(std::slice::from_ref(&entry))
            .await
            .unwrap();
        tx.commit().await.unwrap();
        let found = reading(&store)
            .await
            .quarantined(&wide(), None, 10)
            .await
            .unwrap();
        assert_verbatim(&found, &vec![entry]);
    }
}

pub async fn of_a_doubled_quarantined_row_the_last_wins(store: Arc<dyn Store>) {
    let mut tx = writing(&store).await;
    let newest = quarantined("a", json!(2));
    tx.put_quarantine(&[quarantined("a", json!(1)), newest.clone()])
        .await
        .unwrap();
    assert_eq!(tx.quarantined(&wide(), None, 10).await.unwrap(), [newest]);
}

pub async fn quarantine_is_read_page_by_page(store: Arc<dyn Store>) {
    let mut tx = writing(&store).await;
    let entries = ["ä", "b", "a", "B", "10", "9"].map(|key| quarantined(key, json!(key)));
    tx.put_quarantine(&entries).await.unwrap();
    let first = tx.quarantined(&wide(), None, 4).await.unwrap();
    assert_eq!(keys(&first), ["10", "9", "B", "a"]);
    // What was released meanwhile still marks the place.
    tx.delete_quarantine(&wide(), &["a".to_owned()])
        .await
        .unwrap();
    let rest = tx.quarantined(&wide(), Some("a"), 4).await.unwrap();
    assert_eq!(keys(&rest), ["b", "ä"]);
    assert_eq!(tx.quarantined(&wide(), Some("ä"), 4).await.unwrap(), []);
    assert_eq!(tx.quarantined(&wide(), None, 0).await.unwrap(), []);
}

pub async fn quarantined_rows_are_found_by_kind_and_key(store: Arc<dyn Store>) {
    let mut tx = writing(&store).await;
    let mut other = quarantined("d", json!(4));
    other.kind = plain();
    let entries = ["a", "b", "c"].map(|key| quarantined(key, json!(key)));
    tx.put_quarantine(&entries).await.unwrap();
    tx.put_quarantine(&[other]).await.unwrap();
    let asked = ["c", "x", "a", "c", "d"].map(str::to_owned);
    let found = tx.quarantined_of(&wide(), &asked).await.unwrap();
    assert_eq!(found, [entries[2].clone(), entries[0].clone()]);
    assert_eq!(tx.quarantined_of(&wide(), &[]).await.unwrap(), []);
}

pub async fn quarantined_rows_are_released_by_kind_and_key(store: Arc<dyn Store>) {
    let mut tx = writing(&store).await;
    let mut other = quarantined("a", json!(1));
    other.kind = plain();
    let entries = [
        quarantined("a", json!(1)),
        quarantined("b", json!(2)),
        other,
    ];
    tx.put_quarantine(&entries).await.unwrap();
    tx.put_quarantine(&[]).await.unwrap();
    tx.delete_quarantine(&wide(), &[]).await.unwrap();
    tx.delete_quarantine(&wide(), &["a".to_owned(), "x".to_owned()])
        .await
        .unwrap();
    assert_eq!(
        keys(&tx.quarantined(&wide(), None, 10).await.unwrap()),
        ["b"]
    );
    assert_eq!(
        keys(&tx.quarantined(&plain(), None, 10).await.unwrap()),
        ["a"]
    );
}

pub async fn notes_are_set_and_removed(store: Arc<dyn Store>) {
    let mut tx = writing(&store).await;
    assert_eq!(tx.meta("account").await.unwrap(), None);
    for value in ["a1", "", "o'brien \"👍\"", "null"] {
        tx.put_meta("account", Some(value)).await.unwrap();
        assert_eq!(tx.meta("account").await.unwrap().as_deref(), Some(value));
    }
    tx.put_meta("Account", Some("another key")).await.unwrap();
    tx.put_meta("account", None).await.unwrap();
    tx.put_meta("unknown", None).await.unwrap();
    tx.commit().await.unwrap();
    let mut tx = reading(&store).await;
    assert_eq!(tx.meta("account").await.unwrap(), None);
    assert_eq!(
        tx.meta("Account").await.unwrap().as_deref(),
        Some("another key")
    );
}

pub async fn many_entries_go_in_one_call(store: Arc<dyn Store>) {
    let names: Vec<_> = (0..2_000).map(|n| format!("n{n:04}")).collect();
    let conflicts: Vec<_> = names.iter().map(|name| conflict(name, 1)).collect();
    let rows: Vec<_> = names
        .iter()
        .map(|name| quarantined(name, json!(name)))
        .collect();
    let ops: Vec<_> = names.iter().map(|name| op_id(name)).collect();
    let mut tx = writing(&store).await;
    tx.put_conflicts(&conflicts).await.unwrap();
    tx.put_quarantine(&rows).await.unwrap();
    assert_same(&tx.conflicts(None).await.unwrap(), &conflicts);
    assert_same(&tx.quarantined(&wide(), None, 5_000).await.unwrap(), &rows);
    assert_same(&tx.quarantined_of(&wide(), &names).await.unwrap(), &rows);
    tx.delete_conflicts(&ops).await.unwrap();
    tx.delete_quarantine(&wide(), &names).await.unwrap();
    assert_eq!(tx.conflicts(None).await.unwrap(), []);
    assert_eq!(tx.quarantined(&wide(), None, 10).await.unwrap(), []);
}

pub async fn an_unregistered_kind_has_bookkeeping_too(store: Arc<dyn Store>) {
    let mut tx = writing(&store).await;
    let mut row = quarantined("a", json!(1));
    row.kind = unregistered();
    let mut open = conflict("a", 1);
    open.kind = unregistered();
    tx.put_quarantine(std::slice::from_ref(&row)).await.unwrap();
    tx.put_conflicts(std::slice::from_ref(&open)).await.unwrap();
    tx.put_shadows(&[shadow(&unregistered(), "e1")])
        .await
        .unwrap();
    tx.commit().await.unwrap();
    let mut tx = reading(&store).await;
    assert_eq!(
        tx.quarantined(&unregistered(), None, 10).await.unwrap(),
        [row]
    );
    assert_eq!(tx.conflicts(None).await.unwrap(), [open]);
    let idle = tx.idle_shadows(&unregistered(), None, 10).await.unwrap();
    assert_eq!(idle, [shadow(&unregistered(), "e1")]);
}
