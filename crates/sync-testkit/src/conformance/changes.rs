//! What listeners are told.

use std::sync::Arc;

use futures::StreamExt;
use sync_core::store::{ChangeNotice, ChangeStream, CursorState, OpQuery, Removal, RowWrite};
use sync_core::{Kind, Store};

use super::fixtures::{
    append, from_server, get, id, plain, put, put_local, reading, record, row, titles, upsert,
    wide, writing,
};

async fn next(changes: &mut ChangeStream) -> ChangeNotice {
    changes.next().await.unwrap()
}

fn notice<const R: usize, const O: usize>(rows: [Kind; R], outbox: [Kind; O]) -> ChangeNotice {
    ChangeNotice::Changed {
        rows: rows.into(),
        outbox: outbox.into(),
    }
}

/// The next notice is that of a commit made now: nothing was told before.
async fn assert_nothing_was_told(store: &Arc<dyn Store>, changes: &mut ChangeStream) {
    put_local(store, &plain(), [row("marker", "marker")]).await;
    assert_eq!(next(changes).await, notice([plain()], []));
}

pub async fn a_commit_tells_which_rows_changed(store: Arc<dyn Store>) {
    let mut changes = store.changes();
    put_local(&store, &wide(), [row("e1", "E1")]).await;
    assert_eq!(next(&mut changes).await, notice([wide()], []));
    put(&store, &plain(), &[from_server("e1", 1, 1)]).await;
    assert_eq!(next(&mut changes).await, notice([plain()], []));
    let mut tx = writing(&store).await;
    assert!(tx.insert(&wide(), &row("e2", "E2")).await.unwrap());
    tx.commit().await.unwrap();
    assert_eq!(next(&mut changes).await, notice([wide()], []));
    let mut tx = writing(&store).await;
    let removal = Removal {
        id: id("e2"),
        tombstone: None,
    };
    tx.remove(&wide(), &[removal]).await.unwrap();
    tx.commit().await.unwrap();
    assert_eq!(next(&mut changes).await, notice([wide()], []));
}

pub async fn a_commit_tells_which_queues_changed(store: Arc<dyn Store>) {
    let mut changes = store.changes();
    let op = upsert("op1", &wide(), "e1");
    append(&store, std::slice::from_ref(&op)).await;
    assert_eq!(next(&mut changes).await, notice([], [wide()]));
    let mut tx = writing(&store).await;
    tx.update_ops(std::slice::from_ref(&op)).await.unwrap();
    tx.commit().await.unwrap();
    assert_eq!(next(&mut changes).await, notice([], [wide()]));
    let mut tx = writing(&store).await;
    tx.delete_ops(&[op.op_id]).await.unwrap();
    tx.commit().await.unwrap();
    assert_eq!(next(&mut changes).await, notice([], [wide()]));
}

pub async fn a_commit_tells_everything_at_once(store: Arc<dyn Store>) {
    let mut changes = store.changes();
    let mut tx = writing(&store).await;
    for (kind, name) in [(wide(), "op1"), (plain(), "op2")] {
        tx.put(&kind, &[RowWrite::local(row("e1", "E1"))])
            .await
            .unwrap();
        tx.append_ops(&[upsert(name, &kind, "e1")]).await.unwrap();
    }
    tx.commit().await.unwrap();
    let both = [wide(), plain()];
    assert_eq!(next(&mut changes).await, notice(both.clone(), both));
    assert_nothing_was_told(&store, &mut changes).await;
}

pub async fn a_rollback_tells_nothing(store: Arc<dyn Store>) {
    let mut changes = store.changes();
    let mut tx = writing(&store).await;
    tx.put(&wide(), &[RowWrite::local(row("e1", "E1"))])
        .await
        .unwrap();
    tx.append_ops(&[upsert("op1", &wide(), "e1")])
        .await
        .unwrap();
    drop(tx);
    assert_nothing_was_told(&store, &mut changes).await;
}

pub async fn a_commit_without_changes_tells_nothing(store: Arc<dyn Store>) {
    let mut changes = store.changes();
    let mut tx = reading(&store).await;
    tx.ops(&OpQuery::default()).await.unwrap();
    tx.commit().await.unwrap();
    let mut tx = writing(&store).await;
    tx.get(&wide(), &[id("e1")]).await.unwrap();
    tx.put(&wide(), &[]).await.unwrap();
    tx.append_ops(&[]).await.unwrap();
    tx.put_meta("account", Some("a1")).await.unwrap();
    tx.put_cursor(&wide(), Some(&CursorState::default()))
        .await
        .unwrap();
    tx.commit().await.unwrap();
    assert_nothing_was_told(&store, &mut changes).await;
}

pub async fn a_refused_row_is_no_change(store: Arc<dyn Store>) {
    let mut changes = store.changes();
    let mut tx = writing(&store).await;
    let untitled = record(serde_json::json!({"id": "e1"}));
    tx.put(&wide(), &[RowWrite::local(untitled)]).await.unwrap();
    tx.commit().await.unwrap();
    assert_nothing_was_told(&store, &mut changes).await;
}

pub async fn nothing_is_told_before_the_commit(store: Arc<dyn Store>) {
    let mut changes = store.changes();
    let mut tx = writing(&store).await;
    tx.put(&wide(), &[RowWrite::local(row("e1", "E1"))])
        .await
        .unwrap();
    assert!(futures::poll!(changes.next()).is_pending());
    tx.commit().await.unwrap();
    assert_eq!(next(&mut changes).await, notice([wide()], []));
}

pub async fn who_hears_of_a_commit_sees_it(store: Arc<dyn Store>) {
    let mut changes = store.changes();
    let writer = tokio::spawn({
        let store = Arc::clone(&store);
        async move {
            for n in 0..20 {
                put_local(&store, &wide(), [row(&format!("e{n}"), "E")]).await;
            }
        }
    });
    for n in 0..20 {
        next(&mut changes).await;
        assert!(get(&store, &wide(), &id(&format!("e{n}"))).await.is_some());
    }
    writer.await.unwrap();
}

pub async fn every_listener_is_told(store: Arc<dyn Store>) {
    let mut listeners = [store.changes(), store.changes()];
    put_local(&store, &wide(), [row("e1", "E1")]).await;
    let mut late = store.changes();
    for changes in &mut listeners {
        assert_eq!(next(changes).await, notice([wide()], []));
    }
    assert_nothing_was_told(&store, &mut late).await;
}

pub async fn a_listener_that_sleeps_holds_nobody_up(store: Arc<dyn Store>) {
    let mut changes = store.changes();
    for n in 0..400 {
        let title = n.to_string();
        put_local(&store, &wide(), [row("e1", &title)]).await;
    }
    assert_eq!(titles(&store, &wide(), &[id("e1")]).await, ["399"]);
    // It is told either every commit or how many it missed, and then the rest.
    let mut told = 0;
    while told < 400 {
        told += match next(&mut changes).await {
            ChangeNotice::Lagged(missed) => missed,
            _ => 1,
        };
    }
    assert_eq!(told, 400);
    assert_nothing_was_told(&store, &mut changes).await;
}

pub async fn what_finds_nothing_to_change_tells_nothing(store: Arc<dyn Store>) {
    put_local(&store, &wide(), [row("e1", "E1")]).await;
    let mut changes = store.changes();
    let mut tx = writing(&store).await;
    assert!(!tx.insert(&wide(), &row("e1", "again")).await.unwrap());
    let removal = Removal {
        id: id("unknown"),
        tombstone: None,
    };
    tx.remove(&wide(), &[removal]).await.unwrap();
    let unknown = upsert("unknown", &wide(), "e1");
    tx.update_ops(std::slice::from_ref(&unknown)).await.unwrap();
    tx.delete_ops(&[unknown.op_id]).await.unwrap();
    tx.commit().await.unwrap();
    assert_nothing_was_told(&store, &mut changes).await;
}

pub async fn commits_are_told_in_their_order(store: Arc<dyn Store>) {
    let mut changes = store.changes();
    let kinds = [wide(), plain(), plain(), wide(), plain()];
    for kind in &kinds {
        put_local(&store, kind, [row("e1", "E1")]).await;
    }
    for kind in kinds {
        assert_eq!(next(&mut changes).await, notice([kind], []));
    }
}

pub async fn who_listens_later_hears_of_later_commits_only(store: Arc<dyn Store>) {
    put_local(&store, &wide(), [row("e1", "E1")]).await;
    let mut changes = store.changes();
    assert_nothing_was_told(&store, &mut changes).await;
}
