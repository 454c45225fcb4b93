//! Who may read the file.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use sync_core::store::RowWrite;
use sync_sqlx::SqliteStore;

use crate::common::{fixture, todo};

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o777
}

#[tokio::test]
async fn a_new_file_and_its_journals_are_its_owners_alone() {
    let fixture = fixture().await;
    fixture.put(&[RowWrite::local(todo("a", "x"))]).await;
    for name in ["app.db", "app.db-wal", "app.db-shm"] {
        let mode = mode(&fixture.folder.path().join(name));
        assert_eq!(mode, 0o600, "{name} has {mode:o}");
    }
    fixture.store.close().await.unwrap();
    let store = SqliteStore::open(fixture.path()).await.unwrap();
    store.close().await.unwrap();
    assert_eq!(mode(&fixture.path()), 0o600);
}

#[tokio::test]
async fn a_file_that_exists_keeps_its_permissions() {
    let fixture = fixture().await;
    fixture.store.close().await.unwrap();
    for wanted in [0o644, 0o660] {
        fs::set_permissions(fixture.path(), Permissions::from_mode(wanted)).unwrap();
        let store = SqliteStore::open(fixture.path()).await.unwrap();
        assert_eq!(mode(&fixture.path()), wanted);
        store.close().await.unwrap();
        assert_eq!(mode(&fixture.path()), wanted);
    }
}

#[tokio::test]
async fn a_new_file_behind_a_link_is_its_owners_alone_too() {
    let folder = tempfile::tempdir().unwrap();
    let (link, target) = (
        folder.path().join("app.db"),
        folder.path().join("target.db"),
    );
    std::os::unix::fs::symlink("target.db", &link).unwrap();
    let store = SqliteStore::open(&link).await.unwrap();
    store.close().await.unwrap();
    assert_eq!(mode(&target), 0o600);
}

#[tokio::test]
async fn a_folder_that_is_missing_is_told_by_the_database() {
    let folder = tempfile::tempdir().unwrap();
    let error = SqliteStore::open(folder.path().join("no/app.db"))
        .await
        .unwrap_err();
    assert!(error.to_string().contains("folder exists"), "{error}");
}
