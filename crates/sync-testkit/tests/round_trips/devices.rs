//! Two devices and a server between them, for entities of any type.

use std::fmt::Debug;

use sync_core::{EntityWriter, SyncEngine, SyncEntity};
use sync_rest::RestTransport;
use sync_sqlx::SqliteStore;
use sync_testkit::MockServer;

/// An entity that is sent and compared.
pub(crate) trait Sent: SyncEntity + Clone + Debug + PartialEq {
    fn named(self, id: String) -> Self;

    /// Without what the server adds.
    fn without_stamps(self) -> Self;

    /// Without what stays on a device.
    fn without_own(self) -> Self {
        self
    }
}

struct Device<T> {
    engine: SyncEngine,
    entities: EntityWriter<T>,
}

impl<T: Sent> Device<T> {
    async fn new(server: &MockServer) -> Self {
        let store = SqliteStore::open_in_memory().await.unwrap();
        store.create_table::<T>().await.unwrap();
        let rest = RestTransport::builder(server.url()).build().unwrap();
        let engine = SyncEngine::builder(store, rest).table::<T>().build();
        let engine = engine.await.unwrap();
        Self {
            entities: engine.writer().unwrap(),
            engine,
        }
    }

    async fn get(&self, id: &str) -> T {
        self.entities.get(id).await.unwrap().unwrap()
    }
}

pub(crate) async fn assert_comes_back<T: Sent>(entities: Vec<T>) {
    let numbered = entities.into_iter().enumerate();
    let entities: Vec<T> = numbered
        .map(|(number, entity)| entity.named(format!("s{number}")))
        .collect();
    let server = MockServer::start().await.unwrap();
    let (here, there) = (Device::new(&server).await, Device::new(&server).await);
    here.entities.insert_all(&entities).await.unwrap();
    for entity in &entities {
        let kept = here.get(&entity.entity_id()).await;
        assert_eq!(&kept, entity, "as SQLite keeps it");
    }
    for device in [&here, &there] {
        let report = device.engine.sync().await.unwrap();
        assert!(report.is_complete() && report.pending == 0, "{report:?}");
    }
    for entity in entities {
        let id = entity.entity_id();
        let kept = here.get(&id).await.without_stamps();
        assert_eq!(kept, entity, "after it was sent");
        let came = there.get(&id).await.without_stamps();
        assert_eq!(came, entity.without_own(), "on another device");
    }
}
