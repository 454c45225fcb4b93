//! `SqliteStore` keeps the contract of `Store`, on a real file.

use std::sync::Arc;

use sync_core::Store;
use sync_sqlx::SqliteStore;
use sync_testkit::conformance;

sync_testkit::store_conformance!(async {
    let folder = tempfile::tempdir().unwrap();
    let store = SqliteStore::open(folder.path().join("app.db"))
        .await
        .unwrap();
    let tables = sqlx::raw_sql(conformance::SQLITE_TABLES);
    tables.execute(store.pool()).await.unwrap();
    let store: Arc<dyn Store> = Arc::new(store);
    store.prepare(&conformance::schemas()).await.unwrap();
    (store, folder)
});
