//! Settings of the writing connection, which nobody sees from outside.

use sync_core::store::TxMode;

use super::{SqliteStore, Turn};

fn pragma(turn: &Turn, name: &str) -> i64 {
    let db = turn.db().unwrap();
    db.pragma_query_value(None, name, |row| row.get(0)).unwrap()
}

async fn store(folder: &tempfile::TempDir) -> SqliteStore {
    let path = folder.path().join("app.db");
    SqliteStore::open(path).await.unwrap()
}

#[tokio::test]
async fn a_durable_transaction_is_synced_in_full_and_the_next_one_as_chosen() {
    let folder = tempfile::tempdir().unwrap();
    let store = store(&folder).await;
    for (mode, synchronous) in [(TxMode::Write, 1), (TxMode::Durable, 2), (TxMode::Write, 1)] {
        let turn = store.turn(mode).await.unwrap();
        assert_eq!(pragma(&turn, "synchronous"), synchronous);
        turn.commit(0, &store.inner.patience).await.unwrap();
    }
}

#[tokio::test]
async fn a_bulk_load_is_tuned_until_the_next_small_commit() {
    let folder = tempfile::tempdir().unwrap();
    let store = store(&folder).await;
    let settings = |turn: &Turn| {
        (
            pragma(turn, "cache_size"),
            pragma(turn, "wal_autocheckpoint"),
        )
    };
    let mut turn = store.turn(TxMode::Write).await.unwrap();
    let usual = settings(&turn);
    turn.wrote(10).unwrap();
    assert_eq!(settings(&turn), usual);
    turn.wrote(1_000).unwrap();
    assert_eq!(settings(&turn), (-16_384, 10_000));
    turn.commit(1_000, &store.inner.patience).await.unwrap();

    let turn = store.turn(TxMode::Write).await.unwrap();
    assert_eq!(settings(&turn), (-16_384, 10_000));
    turn.commit(1, &store.inner.patience).await.unwrap();
    let turn = store.turn(TxMode::Write).await.unwrap();
    assert_eq!(settings(&turn), usual);
}
