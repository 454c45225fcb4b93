//! A harness for a server of which nothing is known but its address.

use std::any::Any;
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use async_trait::async_trait;
use serde_json::{Map, Value};
use sync_core::{Precondition, Transport};

use super::fixtures::{accepted, delete, fetch, kind, push, record, upsert};
use super::trail::{Trail, Trailed};
use super::{Ability, Circumstance, TransportHarness};

/// Your own server, reached as a device reaches it: what the suite needs besides, it asks for with
/// forced requests.
///
/// Each behaviour wants a server of its own, or a place of its own at it, that holds nothing yet and
/// takes any kind and any field. How it may go wrong is not in anybody's hand here, so what a
/// transport makes of that is not shown; nor is what needs stamps that the server did not write.
///
/// Where a behaviour fails, the test's output ends with what the server was asked last, as method, path and
/// headers, and how its answers were understood. A server that is a program of its own is started by
/// [`ServerProcess`](super::ServerProcess).
///
/// ```
/// use sync_rest::RestTransport;
/// use sync_testkit::MockServer;
/// use sync_testkit::transport_conformance::{Ability, RealServer};
///
/// # async fn start() -> Result<RealServer, Box<dyn std::error::Error>> {
/// let server = MockServer::start().await?; // yours
/// let transport = RestTransport::builder(server.url()).batch(true).build()?;
/// let harness = RealServer::new(transport)
///     .without([Ability::Filter, Ability::LiveChannel])
///     .keep(server);
/// # Ok(harness)
/// # }
/// ```
pub struct RealServer {
    transport: Arc<dyn Transport>,
    cannot: Vec<Ability>,
    kept: Vec<Box<dyn Any + Send + Sync>>,
    keys: AtomicU32,
    trail: Arc<Trail>,
}

impl fmt::Debug for RealServer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RealServer")
            .field("cannot", &self.cannot)
            .finish_non_exhaustive()
    }
}

impl RealServer {
    /// A server that has everything of the protocol that a behaviour of
    /// [`server_conformance!`](crate::server_conformance!) needs, batches as the transport has them.
    #[must_use]
    pub fn new(transport: impl Transport + 'static) -> Self {
        let trail = Arc::new(Trail::default());
        Self {
            transport: Arc::new(Trailed::new(transport, Arc::clone(&trail))),
            cannot: Vec::new(),
            kept: Vec::new(),
            keys: AtomicU32::new(0),
            trail,
        }
    }

    /// The server has none of these.
    #[must_use]
    pub fn without(mut self, abilities: impl IntoIterator<Item = Ability>) -> Self {
        self.cannot.extend(abilities);
        self
    }

    /// Drops this only when the behaviour is over: the server's process, its folder.
    #[must_use]
    pub fn keep(mut self, what: impl Any + Send + Sync) -> Self {
        self.kept.push(Box::new(what));
        self
    }

    /// What the server was asked last.
    #[cfg(test)]
    pub(super) fn trail(&self) -> String {
        self.trail.to_string()
    }

    /// A forced write of somebody else.
    async fn write(&self, kind_name: &str, id: &str, fields: Option<Value>) {
        let number = self.keys.fetch_add(1, Ordering::Relaxed);
        let key = format!("somebody-else-{number}");
        let mut op = match fields {
            Some(fields) => upsert(&key, id, fields, Precondition::Force),
            None => delete(&key, id, Precondition::Force),
        };
        op.kind = kind(kind_name);
        accepted(push(self, op).await.unwrap());
    }

    /// The names of the fields that stamp a record; the server writes its own.
    fn unstamped(fields: &Value) -> Map<String, Value> {
        let mut fields = record(fields.clone()).into_fields();
        fields.retain(|name, _| name != "updated_at" && name != "deleted_at");
        fields
    }
}

impl Drop for RealServer {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("{}", self.trail);
        }
    }
}

#[async_trait]
impl TransportHarness for RealServer {
    fn transport(&self) -> Arc<dyn Transport> {
        Arc::clone(&self.transport)
    }

    fn cannot(&self) -> Vec<Ability> {
        self.cannot.clone()
    }

    fn can(&self, ability: Ability) -> bool {
        let of_servers = matches!(
            ability,
            Ability::Filter
                | Ability::Health
                | Ability::IfAbsent
                | Ability::Keys
                | Ability::LiveChannel
                | Ability::PageTokens
                | Ability::Tombstones
        );
        let is_there = of_servers && !self.cannot.contains(&ability);
        if is_there {
            self.trail.relies_on(ability);
        }
        is_there
    }

    fn secret(&self) -> Option<String> {
        None
    }

    async fn seed(&self, kind: &str, records: Vec<Value>) {
        let mut newest = None;
        for row in records {
            let id = record(row.clone()).id().unwrap();
            // On a server with coarse stamps two of them may share one, and their order be another.
            for attempt in 0.. {
                assert!(
                    attempt < 10_000,
                    "every change gives a record a later stamp, but the server's stamps do not grow"
                );
                self.write(kind, id.as_str(), Some(Self::unstamped(&row).into()))
                    .await;
                let stored = self.stored(kind, id.as_str()).await;
                let stamp = stored.and_then(|stored| record(stored).stamp().ok());
                let stamp = stamp.unwrap_or_else(|| {
                    panic!("`{kind}/{id}` was put by force, and `GET` finds no live record with a stamp (`updated_at`)")
                });
                let stamp = stamp.unix_nanos();
                if newest.is_none_or(|newest| newest < stamp) {
                    newest = Some(stamp);
                    break;
                }
            }
        }
    }

    async fn edit(&self, kind: &str, id: &str, fields: Value) -> Value {
        let stored = self.stored(kind, id).await;
        let mut whole = stored.map_or_else(Map::new, |stored| Self::unstamped(&stored));
        whole.extend(record(fields).into_fields());
        self.write(kind, id, Some(whole.into())).await;
        let stored = self.stored(kind, id).await;
        stored.unwrap_or_else(|| {
            panic!("`{kind}/{id}` was put by force, and `GET` finds no live record")
        })
    }

    async fn delete(&self, kind: &str, id: &str) {
        self.write(kind, id, None).await;
    }

    async fn stored(&self, kind: &str, id: &str) -> Option<Value> {
        let state = fetch(self, kind, id).await.unwrap();
        let live = state.live()?;
        Some(Value::Object(live.fields().clone()))
    }

    async fn effects(&self, kind: &str, id: &str) -> u32 {
        panic!("not asked without the ability: {kind}/{id}")
    }

    async fn requests(&self) -> usize {
        panic!("not asked without the ability")
    }

    async fn set(&self, circumstance: Circumstance) {
        panic!("not asked without the ability: {circumstance:?}")
    }

    async fn recover(&self) {}
}
