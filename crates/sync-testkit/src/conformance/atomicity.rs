//! All of a transaction or nothing.

use std::sync::Arc;
use std::task::Poll;

use futures::poll;
use serde_json::json;
use sync_core::store::{
    ConflictEntry, CursorState, QuarantineCause, QuarantineEntry, Removal, RowWrite, TxMode,
};
use sync_core::{ServerState, Store, StoreError, StoreErrorKind, StoreTx};

use super::fixtures::{
    append, from_server, get, id, op_id, op_ids, plain, put, put_local, reading, row, second,
    shadow, titles, upsert, version, wide, writing,
};

/// Touches everything that a store keeps, for entity `e1` of the wide kind.
async fn write_everywhere(tx: &mut dyn StoreTx) {
    let kind = wide();
    tx.put(&kind, &[from_server("e1", 1, 1)]).await.unwrap();
    tx.append_ops(&[upsert("op1", &kind, "e1")]).await.unwrap();
    tx.put_shadows(&[shadow(&kind, "e1")]).await.unwrap();
    tx.put_cursor(&kind, Some(&CursorState::default()))
        .await
        .unwrap();
    tx.put_conflicts(&[ConflictEntry {
        op_id: op_id("op1"),
        kind: kind.clone(),
        entity_id: id("e1"),
        server: ServerState::gone(),
        server_time: None,
        by_choice: false,
        reason: "no resolver".to_owned(),
        detected_at: second(0),
    }])
    .await
    .unwrap();
    tx.put_quarantine(&[QuarantineEntry {
        kind: kind.clone(),
        key: "e2".to_owned(),
        row: json!({"id": "e2"}),
        tag: None,
        reason: "no title".to_owned(),
        since: second(0),
        cause: QuarantineCause::BadRow,
        schema_version: 1,
    }])
    .await
    .unwrap();
    let past = super::history::resolved("op0");
    tx.put_conflict_history(&[past], 9).await.unwrap();
    tx.put_meta("account", Some("a1")).await.unwrap();
}

/// How many of the parts that [`write_everywhere`] touches are there.
async fn parts_there(tx: &mut dyn StoreTx) -> usize {
    let (kind, e1) = (wide(), [id("e1")]);
    [
        !tx.get(&kind, &e1).await.unwrap().is_empty(),
        !tx.versions(&kind, &e1).await.unwrap().is_empty(),
        !tx.ops(&Default::default()).await.unwrap().is_empty(),
        !tx.shadows(&kind, &e1).await.unwrap().is_empty(),
        tx.cursor(&kind).await.unwrap().is_some(),
        !tx.conflicts(None).await.unwrap().is_empty(),
        !tx.quarantined(&kind, None, 10).await.unwrap().is_empty(),
        !tx.conflict_history(None, 9).await.unwrap().is_empty(),
        tx.meta("account").await.unwrap().is_some(),
    ]
    .into_iter()
    .filter(|there| *there)
    .count()
}

pub async fn a_commit_makes_everything_visible(store: Arc<dyn Store>) {
    let mut tx = writing(&store).await;
    write_everywhere(&mut *tx).await;
    tx.commit().await.unwrap();
    assert_eq!(parts_there(&mut *reading(&store).await).await, 9);
}

pub async fn a_durable_commit_makes_everything_visible(store: Arc<dyn Store>) {
    let mut tx = store.begin(TxMode::Durable).await.unwrap();
    write_everywhere(&mut *tx).await;
    tx.commit().await.unwrap();
    assert_eq!(parts_there(&mut *reading(&store).await).await, 9);
}

pub async fn dropping_a_transaction_rolls_everything_back(store: Arc<dyn Store>) {
    for mode in [TxMode::Write, TxMode::Durable] {
        let mut tx = store.begin(mode).await.unwrap();
        write_everywhere(&mut *tx).await;
        drop(tx);
        assert_eq!(parts_there(&mut *reading(&store).await).await, 0);
    }
    // Nor does the next commit bring any of it.
    writing(&store).await.commit().await.unwrap();
    assert_eq!(parts_there(&mut *reading(&store).await).await, 0);
}

pub async fn a_rollback_restores_what_was_there_before(store: Arc<dyn Store>) {
    put(
        &store,
        &plain(),
        &[from_server("e1", 1, 1), from_server("e2", 1, 1)],
    )
    .await;
    append(&store, &[upsert("op1", &plain(), "e1")]).await;
    let mut tx = writing(&store).await;
    tx.put(&plain(), &[RowWrite::local(row("e1", "changed"))])
        .await
        .unwrap();
    let removal = Removal {
        id: id("e2"),
        tombstone: Some(version(9)),
    };
    tx.remove(&plain(), &[removal]).await.unwrap();
    tx.delete_ops(&[op_id("op1")]).await.unwrap();
    drop(tx);
    let both = [id("e1"), id("e2")];
    assert_eq!(
        titles(&store, &plain(), &both).await,
        ["from the server"; 2]
    );
    let versions = reading(&store)
        .await
        .versions(&plain(), &both)
        .await
        .unwrap();
    assert!(versions.iter().all(|(_, known)| *known == Some(version(1))));
    assert_eq!(op_ids(&store, &Default::default()).await, ["op1"]);
}

pub async fn dropping_a_call_midway_rolls_back(store: Arc<dyn Store>) {
    for polls in 0..4 {
        let mut tx = writing(&store).await;
        tx.put_meta("before", Some("x")).await.unwrap();
        let (kind, rows) = (wide(), [RowWrite::local(row("e1", "half"))]);
        let mut call = tx.put(&kind, &rows);
        for _ in 0..polls {
            if poll!(&mut call).is_ready() {
                break;
            }
            tokio::task::yield_now().await;
        }
        drop(call);
        drop(tx);
        assert_eq!(get(&store, &wide(), &id("e1")).await, None);
        assert_eq!(reading(&store).await.meta("before").await.unwrap(), None);
    }
    put_local(&store, &wide(), [row("e1", "the store goes on")]).await;
}

pub async fn dropping_a_commit_midway_leaves_all_or_nothing(store: Arc<dyn Store>) {
    let mut tx = writing(&store).await;
    write_everywhere(&mut *tx).await;
    let mut commit = tx.commit();
    let _ = poll!(&mut commit);
    drop(commit);
    // The next writer waits until it is decided.
    let parts = parts_there(&mut *writing(&store).await).await;
    assert!(parts == 0 || parts == 9, "{parts} of 9 parts are there");
}

pub async fn a_transaction_sees_its_own_changes(store: Arc<dyn Store>) {
    let mut tx = writing(&store).await;
    write_everywhere(&mut *tx).await;
    assert_eq!(parts_there(&mut *tx).await, 9);
    tx.delete_ops(&[op_id("op1")]).await.unwrap();
    assert_eq!(tx.count_ops(&Default::default()).await.unwrap(), 0);
}

pub async fn others_see_nothing_before_the_commit(store: Arc<dyn Store>) {
    let mut tx = writing(&store).await;
    write_everywhere(&mut *tx).await;
    assert_eq!(parts_there(&mut *reading(&store).await).await, 0);
    tx.commit().await.unwrap();
    assert_eq!(parts_there(&mut *reading(&store).await).await, 9);
}

pub async fn a_reader_keeps_seeing_one_state(store: Arc<dyn Store>) {
    put_local(&store, &wide(), [row("e1", "old")]).await;
    let (kind, e1) = (wide(), [id("e1")]);
    let mut reader = reading(&store).await;
    let before = reader.get(&kind, &e1).await.unwrap();
    put_local(&store, &kind, [row("e1", "new"), row("e2", "new")]).await;
    append(&store, &[upsert("op1", &kind, "e1")]).await;
    assert_eq!(reader.get(&kind, &e1).await.unwrap(), before);
    assert_eq!(reader.get(&kind, &[id("e2")]).await.unwrap(), []);
    assert_eq!(reader.count_ops(&Default::default()).await.unwrap(), 0);
    assert_eq!(titles(&store, &kind, &e1).await, ["new"]);
}

pub async fn a_reader_cannot_write(store: Arc<dyn Store>) {
    let mut reader = reading(&store).await;
    let refused = reader.put(&wide(), &[from_server("e1", 1, 1)]).await;
    assert_eq!(refused.unwrap_err().kind(), StoreErrorKind::ReadOnly);
    let mut reader = reading(&store).await;
    let refused = reader.append_ops(&[upsert("op1", &wide(), "e1")]).await;
    assert_eq!(refused.unwrap_err().kind(), StoreErrorKind::ReadOnly);
    assert_eq!(parts_there(&mut *reading(&store).await).await, 0);
}

pub async fn a_reader_may_be_committed(store: Arc<dyn Store>) {
    let mut reader = reading(&store).await;
    reader.meta("account").await.unwrap();
    reader.commit().await.unwrap();
}

pub async fn a_failed_call_leaves_no_trace(store: Arc<dyn Store>) {
    append(&store, &[upsert("op1", &wide(), "e1")]).await;
    let mut tx = writing(&store).await;
    tx.put_meta("before", Some("x")).await.unwrap();
    let ops = [upsert("op2", &wide(), "e2"), upsert("op1", &wide(), "e3")];
    assert!(tx.append_ops(&ops).await.is_err());
    drop(tx);
    assert_eq!(op_ids(&store, &Default::default()).await, ["op1"]);
    assert_eq!(reading(&store).await.meta("before").await.unwrap(), None);
}

pub async fn a_rollback_restores_every_part(store: Arc<dyn Store>) {
    let mut tx = writing(&store).await;
    write_everywhere(&mut *tx).await;
    tx.commit().await.unwrap();
    let (kind, e1) = (wide(), id("e1"));
    let mut tx = writing(&store).await;
    let removal = Removal {
        id: e1.clone(),
        tombstone: None,
    };
    tx.remove(&kind, &[removal]).await.unwrap();
    tx.delete_ops(&[op_id("op1")]).await.unwrap();
    tx.delete_shadows(&kind, &[e1]).await.unwrap();
    tx.put_cursor(&kind, None).await.unwrap();
    tx.delete_conflicts(&[op_id("op1")]).await.unwrap();
    let key = ["e2".to_owned()];
    tx.delete_quarantine(&kind, &key).await.unwrap();
    tx.delete_conflict_history(&kind).await.unwrap();
    tx.put_meta("account", None).await.unwrap();
    assert_eq!(parts_there(&mut *tx).await, 0);
    drop(tx);
    assert_eq!(parts_there(&mut *reading(&store).await).await, 9);
}

/// Makes one of the calls that write, by its number; `None` behind the last one.
async fn write_once(tx: &mut dyn StoreTx, call: usize) -> Option<Result<(), StoreError>> {
    let (kind, e1, op) = (wide(), [id("e1")], upsert("op1", &wide(), "e1"));
    let removal = Removal {
        id: id("e1"),
        tombstone: None,
    };
    let ops = [op.op_id.clone()];
    let keys = ["e2".to_owned()];
    Some(match call {
        0 => tx.put(&kind, &[from_server("e1", 2, 2)]).await.map(drop),
        1 => tx.insert(&kind, &row("e9", "E9")).await.map(drop),
        2 => tx.remove(&kind, &[removal]).await.map(drop),
        3 => tx.mark_seen(&kind, 9, &e1).await,
        4 => tx.forget_tombstones(&kind, &version(9)).await.map(drop),
        5 => tx.append_ops(&[upsert("op9", &kind, "e9")]).await.map(drop),
        6 => tx.update_ops(&[op]).await,
        7 => tx.delete_ops(&ops).await,
        8 => tx.put_shadows(&[shadow(&kind, "e9")]).await,
        9 => tx.delete_shadows(&kind, &e1).await,
        10 => tx.put_cursor(&kind, None).await,
        11 => tx.delete_conflicts(&ops).await,
        12 => tx.delete_quarantine(&kind, &keys).await,
        13 => tx.put_meta("account", None).await,
        14 => tx.delete_conflict_history(&kind).await,
        15 => {
            let past = super::history::resolved("op9");
            tx.put_conflict_history(&[past], 1).await
        }
        _ => return None,
    })
}

pub async fn no_call_that_writes_is_for_readers(store: Arc<dyn Store>) {
    let mut tx = writing(&store).await;
    write_everywhere(&mut *tx).await;
    // A tombstone, so that there is one to be forgotten.
    let removal = Removal {
        id: id("gone"),
        tombstone: Some(version(1)),
    };
    tx.remove(&wide(), &[removal]).await.unwrap();
    tx.commit().await.unwrap();
    for call in 0.. {
        // After an error a transaction may only be dropped, so that each call has its own.
        let mut reader = reading(&store).await;
        let Some(refused) = write_once(&mut *reader, call).await else {
            break;
        };
        let kind = refused.err().map(|error| error.kind());
        assert_eq!(kind, Some(StoreErrorKind::ReadOnly), "call {call}");
    }
    assert_eq!(parts_there(&mut *reading(&store).await).await, 9);
}

pub async fn dropping_any_call_midway_rolls_back(store: Arc<dyn Store>) {
    let mut tx = writing(&store).await;
    write_everywhere(&mut *tx).await;
    tx.commit().await.unwrap();
    let mut last = false;
    for call in 0.. {
        for polls in 1..4 {
            let mut tx = writing(&store).await;
            let mut write = Box::pin(write_once(&mut *tx, call));
            for _ in 0..polls {
                if let Poll::Ready(written) = poll!(&mut write) {
                    last = written.is_none();
                    break;
                }
                tokio::task::yield_now().await;
            }
            drop(write);
            drop(tx);
            let mut tx = reading(&store).await;
            assert_eq!(parts_there(&mut *tx).await, 9, "call {call}");
            assert_eq!(tx.count_ops(&Default::default()).await.unwrap(), 1);
            let e9 = tx.get(&wide(), &[id("e9")]).await.unwrap();
            assert_eq!(e9, [], "call {call}");
        }
        if last {
            return;
        }
    }
}
