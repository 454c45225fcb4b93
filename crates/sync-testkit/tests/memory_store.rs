//! The executable specification keeps its own contract.

use std::sync::Arc;

use sync_core::{MemoryStore, Store};
use sync_testkit::conformance;

sync_testkit::store_conformance!(async {
    let store: Arc<dyn Store> = Arc::new(MemoryStore::new());
    store.prepare(&conformance::schemas()).await.unwrap();
    (store, ())
});
