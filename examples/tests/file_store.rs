//! The store of `docs/writing-a-store.md` keeps the contract of `Store`.

use std::sync::Arc;

use examples::file_store::FileStore;
use sync_core::{Store, StoreErrorKind};
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
