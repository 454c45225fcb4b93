//! The store of `docs/writing-a-store.md` keeps the contract of `Store`.

use std::sync::Arc;

use examples::file_store::FileStore;
use sync_core::store::{RowWrite, TxMode};
use sync_core::{EntityId, Kind, Record, Store, StoreErrorKind};
use sync_testkit::{conformance, store_conformance};

store_conformance!(async {
    let folder = tempfile::tempdir().unwrap();
    let store = FileStore::open(folder.path().join("app.json")).unwrap();
    let store: Arc<dyn Store> = Arc::new(store);
    store.prepare(&conformance::schemas()).await.unwrap();
    (store, folder)
});

#[test]
fn a_file_has_one_owner() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("app.json");
    let first = FileStore::open(&path).unwrap();
    assert_eq!(
        FileStore::open(&path).unwrap_err().kind(),
        StoreErrorKind::Open
    );
    drop(first);
    assert!(FileStore::open(&path).is_ok());
}

#[test]
fn a_file_of_something_else_is_named_and_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("app.json");
    std::fs::write(&path, "a letter").unwrap();
    assert_eq!(
        FileStore::open(&path).unwrap_err().kind(),
        StoreErrorKind::Corrupt
    );
    assert_eq!(std::fs::read(&path).unwrap(), b"a letter");
}

#[tokio::test]
async fn what_was_committed_is_there_when_the_file_is_opened_again() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("app.json");
    let kind = Kind::new("conformance_wide").unwrap();
    let row: Record =
        serde_json::from_str(r#"{"id": "e1", "title": "kept", "x": [1.0, null]}"#).unwrap();
    let store = FileStore::open(&path).unwrap();
    store.prepare(&conformance::schemas()).await.unwrap();
    for (title, commit) in [("kept", true), ("dropped", false)] {
        let mut row = row.clone();
        row.fields_mut().insert("title".to_owned(), title.into());
        let mut tx = store.begin(TxMode::Write).await.unwrap();
        tx.put(&kind, &[RowWrite::local(row)]).await.unwrap();
        if commit {
            tx.commit().await.unwrap();
        }
    }
    drop(store);
    // A crash before the rename leaves this behind.
    std::fs::write(folder.path().join("app.json.new"), "{half a fi").unwrap();

    let store = FileStore::open(&path).unwrap();
    store.prepare(&conformance::schemas()).await.unwrap();
    let mut tx = store.begin(TxMode::Read).await.unwrap();
    let rows = tx
        .get(&kind, &[EntityId::new("e1").unwrap()])
        .await
        .unwrap();
    assert_eq!(rows, [row]);
}
