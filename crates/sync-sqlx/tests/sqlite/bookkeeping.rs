//! Cursors, conflicts, quarantine, notes.

use serde_json::json;
use sync_core::store::{
    ConflictEntry, CursorState, QuarantineCause, QuarantineEntry, StoreErrorKind,
};
use sync_core::{OpId, ServerState, Timestamp};

use crate::common::{fixture, id, todos};

fn now() -> Timestamp {
    Timestamp::parse("2026-03-01T12:00:00Z").unwrap()
}

#[tokio::test]
async fn a_cursor_moves_and_is_forgotten() {
    let fixture = fixture().await;
    let cursor = CursorState {
        since: Some(now()),
        after_id: Some(id("a")),
        opaque: Some("x".to_owned()),
        generation: 3,
        ..CursorState::default()
    };
    let mut tx = fixture.write().await;
    assert_eq!(tx.cursor(&todos()).await.unwrap(), None);
    tx.put_cursor(&todos(), Some(&CursorState::default()))
        .await
        .unwrap();
    tx.put_cursor(&todos(), Some(&cursor)).await.unwrap();
    assert_eq!(tx.cursor(&todos()).await.unwrap(), Some(cursor));
    tx.put_cursor(&todos(), None).await.unwrap();
    assert_eq!(tx.cursor(&todos()).await.unwrap(), None);
}

#[tokio::test]
async fn conflicts_are_kept_oldest_first_one_per_operation() {
    let fixture = fixture().await;
    // Found an hour later, but written so that its text is the smaller one.
    let later = Timestamp::parse("2026-03-01T09:00:00-04:00").unwrap();
    let entry = |op: &str, reason: &str| ConflictEntry {
        op_id: OpId::new(op).unwrap(),
        kind: todos(),
        entity_id: id("a"),
        server: ServerState::gone(),
        server_time: None,
        by_choice: true,
        reason: reason.to_owned(),
        detected_at: if op == "1" { later.clone() } else { now() },
    };
    let mut tx = fixture.write().await;
    tx.put_conflicts(&[entry("2", "x"), entry("1", "x")])
        .await
        .unwrap();
    tx.put_conflicts(&[entry("2", "y")]).await.unwrap();
    assert_eq!(
        tx.conflicts(None).await.unwrap(),
        [entry("2", "y"), entry("1", "x")]
    );
    assert_eq!(
        tx.conflicts(Some(&OpId::new("1").unwrap())).await.unwrap(),
        [entry("1", "x")]
    );
    tx.delete_conflicts(&[OpId::new("2").unwrap(), OpId::new("9").unwrap()])
        .await
        .unwrap();
    assert_eq!(tx.conflicts(None).await.unwrap(), [entry("1", "x")]);
}

#[tokio::test]
async fn quarantine_is_paged_in_order_of_key_and_the_newest_state_replaces() {
    let fixture = fixture().await;
    let entry = |key: &str, reason: &str| QuarantineEntry {
        kind: todos(),
        key: key.to_owned(),
        row: json!({ "id": key, "big": 1 }),
        tag: None,
        reason: reason.to_owned(),
        since: now(),
        cause: QuarantineCause::BadRow,
        schema_version: 1,
    };
    let mut tx = fixture.write().await;
    tx.put_quarantine(&[entry("c", "1"), entry("a", "1"), entry("b", "1")])
        .await
        .unwrap();
    tx.put_quarantine(&[entry("c", "2")]).await.unwrap();
    let page = tx.quarantined(&todos(), None, 2).await.unwrap();
    assert_eq!(page, [entry("a", "1"), entry("b", "1")]);
    tx.delete_quarantine(&todos(), &["b".to_owned(), "x".to_owned()])
        .await
        .unwrap();
    let page = tx.quarantined(&todos(), Some("b"), 2).await.unwrap();
    assert_eq!(page, [entry("c", "2")]);
}

#[tokio::test]
async fn notes_are_set_and_removed() {
    let fixture = fixture().await;
    let mut tx = fixture.write().await;
    tx.put_meta("account", Some("ann")).await.unwrap();
    tx.put_meta("account", Some("bob")).await.unwrap();
    assert_eq!(tx.meta("account").await.unwrap().as_deref(), Some("bob"));
    tx.put_meta("account", None).await.unwrap();
    assert_eq!(tx.meta("account").await.unwrap(), None);
}

#[tokio::test]
async fn an_entry_that_nobody_can_read_is_an_error_that_says_so() {
    let fixture = fixture().await;
    fixture
        .sql("INSERT INTO sync_cursors VALUES ('todos', 'nonsense')")
        .await;
    let error = fixture.read().await.cursor(&todos()).await.unwrap_err();
    assert_eq!(error.kind(), StoreErrorKind::Corrupt);
    assert!(std::error::Error::source(&error).is_some());
}
