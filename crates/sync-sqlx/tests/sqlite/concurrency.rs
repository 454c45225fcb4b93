//! Several stores, pools and tasks on one file.

use std::pin::pin;
use std::time::Duration;

use futures::FutureExt;
use sync_core::store::{RowWrite, Store, StoreErrorKind, StoreTx, TxMode};
use sync_sqlx::SqliteStore;
use sync_testkit::FakeEnv;

use crate::common::{TODOS, fixture, id, op, schema, todo, todos};

#[tokio::test(flavor = "multi_thread")]
async fn eight_tasks_open_and_prepare_a_fresh_file_at_once() {
    for _ in 0..10 {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("app.db");
        let tasks: Vec<_> = (0..8)
            .map(|_| {
                let path = path.clone();
                tokio::spawn(async move {
                    let store = SqliteStore::open(&path).await?;
                    store.prepare(&[]).await?;
                    store.close().await
                })
            })
            .collect();
        for task in tasks {
            task.await.unwrap().unwrap();
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn two_stores_and_the_apps_own_pool_write_to_one_file_at_the_same_time() {
    let fixture = fixture().await;
    fixture.sql("CREATE TABLE mine (n INTEGER)").await;
    let other = SqliteStore::open(fixture.path()).await.unwrap();
    other.prepare(&[schema()]).await.unwrap();
    let writers = [
        ("a", fixture.store.clone()),
        ("b", other.clone()),
        ("c", fixture.store.clone()),
    ];
    let mut tasks = Vec::new();
    for (name, store) in writers {
        tasks.push(tokio::spawn(async move {
            for n in 0..40 {
                let at = format!("{name}{n}");
                let mut tx = Store::begin(&store, TxMode::Write).await.unwrap();
                tx.put(&todos(), &[RowWrite::local(todo(&at, "x"))])
                    .await
                    .unwrap();
                tx.append_ops(&[op(&at, &at)]).await.unwrap();
                tx.commit().await.unwrap();
            }
        }));
    }
    let store = other.clone();
    tasks.push(tokio::spawn(async move {
        for n in 0..40 {
            let mut tx = store.begin().await.unwrap();
            sqlx::query("INSERT INTO mine VALUES (?)")
                .bind(n)
                .execute(tx.connection().unwrap())
                .await
                .unwrap();
            tx.commit().await.unwrap();
        }
    }));
    for task in tasks {
        task.await.unwrap();
    }
    let sums = "SELECT (SELECT count(*) FROM todos) + (SELECT count(*) FROM sync_outbox) + (SELECT count(*) FROM mine)";
    assert_eq!(fixture.scalar(sums).await, 120 + 120 + 40);
}

#[tokio::test]
async fn somebody_who_never_lets_go_makes_a_writer_busy_in_the_end() {
    let fixture = fixture().await;
    let impatient = SqliteStore::builder(fixture.path())
        .busy_timeout(Duration::from_millis(20))
        .open()
        .await
        .unwrap();
    let held = fixture.write().await;
    let error = Store::begin(&impatient, TxMode::Write).await.err().unwrap();
    assert_eq!(error.kind(), StoreErrorKind::Busy);
    assert!(error.is_retryable());
    drop(held);
    drop(Store::begin(&impatient, TxMode::Write).await.unwrap());
}

async fn by_its_clock(env: &FakeEnv) -> (tempfile::TempDir, SqliteStore) {
    let folder = tempfile::tempdir().unwrap();
    let builder = SqliteStore::builder(folder.path().join("app.db")).env(env.env());
    let store = builder.open().await.unwrap();
    sqlx::raw_sql(TODOS).execute(store.pool()).await.unwrap();
    store.prepare(&[schema()]).await.unwrap();
    (folder, store)
}

#[tokio::test]
async fn a_write_of_the_apps_that_waits_for_its_own_task_ends_with_what_to_do() {
    let env = FakeEnv::new(1);
    env.auto_advance(Duration::MAX);
    let (_folder, store) = by_its_clock(&env).await;
    for shared in [false, true] {
        let held: Box<dyn StoreTx> = if shared {
            Box::new(store.begin().await.unwrap())
        } else {
            Store::begin(&store, TxMode::Write).await.unwrap()
        };
        let writing = store.begin_for_app(TxMode::Write).await.err().unwrap();
        let sharing = store.begin().await.err().unwrap();
        for error in [writing, sharing] {
            assert_eq!(error.kind(), StoreErrorKind::Busy);
            let text = error.to_string();
            assert!(text.contains("app.db: another writing"), "{text}");
            assert!(text.contains("with `within`"), "{text}");
        }
        drop(store.begin_for_app(TxMode::Read).await.unwrap());
        // A drop would be rolled back on another thread, for which this clock does not wait.
        held.commit().await.unwrap();
        let writing = store.begin_for_app(TxMode::Write).await.unwrap();
        writing.commit().await.unwrap();
        store.begin().await.unwrap().commit().await.unwrap();
    }
}

#[tokio::test]
async fn a_write_waits_for_a_transaction_that_gets_on_and_the_library_for_any() {
    let env = FakeEnv::new(1);
    let (_folder, store) = by_its_clock(&env).await;
    let long = Duration::from_secs(11);
    let mut held = Store::begin(&store, TxMode::Write).await.unwrap();
    let mut of_the_app = pin!(store.begin_for_app(TxMode::Write));
    let mut of_the_library = pin!(Store::begin(&store, TxMode::Write));
    assert!(of_the_app.as_mut().now_or_never().is_none());
    assert!(of_the_library.as_mut().now_or_never().is_none());
    for number in 0..3 {
        let row = RowWrite::local(todo(&format!("t{number}"), "x"));
        held.put(&todos(), &[row]).await.unwrap();
        // A reader has nothing to do with it.
        drop(store.begin_for_app(TxMode::Read).await.unwrap());
        env.advance(long);
        assert!(of_the_app.as_mut().now_or_never().is_none(), "{number}");
    }
    let mut reader = Store::begin(&store, TxMode::Read).await.unwrap();
    reader.get(&todos(), &[id("t0")]).await.unwrap();
    env.advance(long);
    let gave_up = of_the_app.as_mut().now_or_never().unwrap().err().unwrap();
    assert_eq!(gave_up.kind(), StoreErrorKind::Busy);
    env.advance(long * 10);
    assert!(of_the_library.as_mut().now_or_never().is_none(), "it waits");
    held.commit().await.unwrap();
    drop(of_the_library.await.unwrap());
}

#[tokio::test]
async fn a_reader_sees_one_state_whatever_is_committed_meanwhile() {
    let fixture = fixture().await;
    fixture.put(&[RowWrite::local(todo("a", "old"))]).await;
    let mut before = fixture.read().await;
    fixture
        .put(&[
            RowWrite::local(todo("a", "new")),
            RowWrite::local(todo("b", "new")),
        ])
        .await;
    let rows = before.get(&todos(), &[id("a"), id("b")]).await.unwrap();
    assert_eq!(
        (rows.len(), rows[0].get("title").unwrap().as_str()),
        (1, Some("old"))
    );
    assert_eq!(
        fixture
            .get("a")
            .await
            .unwrap()
            .get("title")
            .unwrap()
            .as_str(),
        Some("new")
    );
}

#[tokio::test]
async fn readers_do_not_wait_for_a_writer_and_do_not_see_what_it_has_not_committed() {
    let fixture = fixture().await;
    let mut writer = fixture.write().await;
    writer
        .put(&todos(), &[RowWrite::local(todo("a", "x"))])
        .await
        .unwrap();
    assert_eq!(writer.get(&todos(), &[id("a")]).await.unwrap().len(), 1);
    assert_eq!(fixture.get("a").await, None);
    writer.commit().await.unwrap();
    assert!(fixture.get("a").await.is_some());
}

#[tokio::test]
async fn a_reading_transaction_refuses_to_write() {
    let fixture = fixture().await;
    let mut tx = fixture.read().await;
    let error = tx
        .put(&todos(), &[RowWrite::local(todo("a", "x"))])
        .await
        .unwrap_err();
    assert_eq!(error.kind(), StoreErrorKind::ReadOnly);
    drop(tx);
    assert_eq!(fixture.get("a").await, None);
}

#[tokio::test]
async fn more_readers_than_connections_wait_their_turn() {
    let folder = tempfile::tempdir().unwrap();
    let store = SqliteStore::builder(folder.path().join("app.db"))
        .readers(1)
        .open()
        .await
        .unwrap();
    sqlx::raw_sql(TODOS).execute(store.pool()).await.unwrap();
    store.prepare(&[schema()]).await.unwrap();
    let first = Store::begin(&store, TxMode::Read).await.unwrap();
    let (second, ()) = tokio::join!(Store::begin(&store, TxMode::Read), async { drop(first) });
    assert_eq!(second.unwrap().get(&todos(), &[id("a")]).await.unwrap(), []);
}
