//! Several transactions at once.

use std::collections::BTreeSet;
use std::sync::Arc;

use futures::future::{join_all, try_join_all};
use futures::poll;
use sync_core::store::{RowWrite, TxMode};
use sync_core::{Store, StoreTx};
use tokio::sync::oneshot;

use super::fixtures::{
    append, get, id, ids, op_ids, put_local, reading, row, titles, upsert, wide, writing,
};

async fn count(tx: &mut dyn StoreTx) -> u32 {
    let counter = tx.meta("counter").await.unwrap();
    counter.map_or(0, |text| text.parse().unwrap())
}

async fn increment(store: &Arc<dyn Store>, mode: TxMode) {
    let mut tx = store.begin(mode).await.unwrap();
    let next = count(&mut *tx).await + 1;
    tokio::task::yield_now().await;
    tx.put_meta("counter", Some(&next.to_string()))
        .await
        .unwrap();
    tx.commit().await.unwrap();
}

pub async fn no_write_is_lost_between_writers(store: Arc<dyn Store>) {
    let writers = (0..8).map(|writer| {
        let store = Arc::clone(&store);
        let mode = if writer % 2 == 0 {
            TxMode::Write
        } else {
            TxMode::Durable
        };
        tokio::spawn(async move {
            for _ in 0..10 {
                increment(&store, mode).await;
            }
        })
    });
    try_join_all(writers).await.unwrap();
    assert_eq!(count(&mut *reading(&store).await).await, 80);
}

pub async fn waiting_writers_are_served_in_order(store: Arc<dyn Store>) {
    let holder = writing(&store).await;
    let (mut first, mut second, mut third) = (
        Box::pin(append_one(&store, "first")),
        Box::pin(append_one(&store, "second")),
        Box::pin(append_one(&store, "third")),
    );
    // Polled once, each stands in line.
    assert!(poll!(&mut first).is_pending());
    assert!(poll!(&mut second).is_pending());
    assert!(poll!(&mut third).is_pending());
    holder.commit().await.unwrap();
    // Whoever is polled first afterwards does not overtake.
    join_all([third, first, second]).await;
    assert_eq!(
        op_ids(&store, &Default::default()).await,
        ["first", "second", "third"]
    );
}

async fn append_one(store: &Arc<dyn Store>, name: &'static str) {
    append(store, &[upsert(name, &wide(), name)]).await;
}

pub async fn a_writer_that_stops_waiting_leaves_the_line(store: Arc<dyn Store>) {
    let holder = writing(&store).await;
    let mut gives_up = store.begin(TxMode::Write);
    let mut waits = Box::pin(append_one(&store, "waits"));
    assert!(poll!(&mut gives_up).is_pending());
    assert!(poll!(&mut waits).is_pending());
    drop(gives_up);
    holder.commit().await.unwrap();
    waits.await;
    assert_eq!(op_ids(&store, &Default::default()).await, ["waits"]);
}

pub async fn a_dropped_writer_lets_the_next_one_in(store: Arc<dyn Store>) {
    let mut holder = writing(&store).await;
    holder.put_meta("counter", Some("100")).await.unwrap();
    let mut waits = Box::pin(increment(&store, TxMode::Write));
    assert!(poll!(&mut waits).is_pending());
    drop(holder);
    waits.await;
    assert_eq!(count(&mut *reading(&store).await).await, 1);
}

pub async fn an_aborted_task_lets_the_next_one_in(store: Arc<dyn Store>) {
    let (holds, held) = oneshot::channel();
    let task = tokio::spawn({
        let store = Arc::clone(&store);
        async move {
            let mut tx = writing(&store).await;
            tx.put_meta("counter", Some("100")).await.unwrap();
            holds.send(()).unwrap();
            std::future::pending::<()>().await;
        }
    });
    held.await.unwrap();
    task.abort();
    increment(&store, TxMode::Write).await;
    assert_eq!(count(&mut *reading(&store).await).await, 1);
}

pub async fn readers_do_not_wait_for_a_writer(store: Arc<dyn Store>) {
    put_local(&store, &wide(), [row("e1", "old")]).await;
    let mut writer = writing(&store).await;
    writer
        .put(&wide(), &[RowWrite::local(row("e1", "new"))])
        .await
        .unwrap();
    // Were one of these to wait for the writer, it would wait for ever.
    assert_eq!(titles(&store, &wide(), &[id("e1")]).await, ["old"]);
    let mut waiting = Box::pin(increment(&store, TxMode::Write));
    assert!(poll!(&mut waiting).is_pending());
    assert_eq!(titles(&store, &wide(), &[id("e1")]).await, ["old"]);
    writer.commit().await.unwrap();
    waiting.await;
    assert_eq!(titles(&store, &wide(), &[id("e1")]).await, ["new"]);
}

pub async fn a_writer_does_not_wait_for_readers(store: Arc<dyn Store>) {
    put_local(&store, &wide(), [row("e1", "old")]).await;
    let mut reader = reading(&store).await;
    let before = reader.get(&wide(), &[id("e1")]).await.unwrap();
    put_local(&store, &wide(), [row("e1", "new")]).await;
    assert_eq!(reader.get(&wide(), &[id("e1")]).await.unwrap(), before);
}

pub async fn readers_see_whole_commits_only(store: Arc<dyn Store>) {
    put_local(&store, &wide(), [row("a", "0"), row("b", "0")]).await;
    let writer = tokio::spawn({
        let store = Arc::clone(&store);
        async move {
            for n in 1..=50 {
                let title = n.to_string();
                put_local(&store, &wide(), [row("a", &title), row("b", &title)]).await;
            }
        }
    });
    while !writer.is_finished() {
        let seen = titles(&store, &wide(), &ids(["a", "b"])).await;
        assert_eq!(seen[0], seen[1], "two rows of one commit");
        tokio::task::yield_now().await;
    }
    writer.await.unwrap();
    assert_eq!(
        titles(&store, &wide(), &ids(["a", "b"])).await,
        ["50", "50"]
    );
}

pub async fn one_of_many_inserts_wins(store: Arc<dyn Store>) {
    let inserts = (0..8).map(|n| {
        let store = Arc::clone(&store);
        tokio::spawn(async move {
            let mut tx = writing(&store).await;
            let won = tx
                .insert(&wide(), &row("e1", &n.to_string()))
                .await
                .unwrap();
            tx.commit().await.unwrap();
            won.then_some(n)
        })
    });
    let winners: Vec<_> = try_join_all(inserts)
        .await
        .unwrap()
        .into_iter()
        .flatten()
        .collect();
    assert_eq!(winners.len(), 1);
    let row = get(&store, &wide(), &id("e1")).await.unwrap();
    assert_eq!(
        row.get("title").unwrap().as_str().unwrap(),
        winners[0].to_string()
    );
}

pub async fn places_of_many_writers_differ(store: Arc<dyn Store>) {
    let writers = (0..8).map(|writer| {
        let store = Arc::clone(&store);
        tokio::spawn(async move {
            let names = [0, 1, 2].map(|n| format!("op{writer}-{n}"));
            let ops = names.map(|name| upsert(&name, &wide(), &name));
            append(&store, &ops).await
        })
    });
    let places = try_join_all(writers).await.unwrap();
    for of_one in &places {
        assert!(of_one.is_sorted_by(|a, b| a < b), "{of_one:?}");
    }
    let distinct: BTreeSet<_> = places.into_iter().flatten().collect();
    assert_eq!(distinct.len(), 24);
}

pub async fn a_transaction_moves_between_tasks(store: Arc<dyn Store>) {
    let mut tx = writing(&store).await;
    tx.put_meta("counter", Some("1")).await.unwrap();
    let tx = tokio::spawn(async move {
        tx.put_meta("other", Some("2")).await.unwrap();
        tx
    });
    tx.await.unwrap().commit().await.unwrap();
    assert_eq!(
        reading(&store)
            .await
            .meta("other")
            .await
            .unwrap()
            .as_deref(),
        Some("2")
    );
}
