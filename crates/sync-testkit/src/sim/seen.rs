//! What a client's database holds, read from outside.

use std::collections::{BTreeMap, BTreeSet};
use std::future::Future;

use futures::FutureExt;
use sync_core::json::{JsonMap, same_field};
use sync_core::store::{CursorState, OpQuery, QuarantineCause, Store, TxMode};
use sync_core::system_fields::is_system_field;
use sync_core::{
    Kind, MemoryStore, Op, Record, ServerState, Shadow, StoreError, Timestamp, Version,
};

use super::server::Key;
use super::tables::SimTable;
use super::updates;

/// One committed state of one client.
#[derive(Debug, Clone, Default)]
pub(crate) struct Seen {
    /// After so many commits.
    pub(crate) commits: u64,
    /// What of each is shared with the server.
    pub(crate) rows: BTreeMap<Key, Record>,
    /// What of each row stays on the device.
    pub(super) local: BTreeMap<Key, JsonMap>,
    /// The version of each row; `Some(None)` = unknown.
    pub(crate) versions: BTreeMap<Key, Option<Version>>,
    /// In order of their places.
    pub(crate) ops: BTreeMap<Key, Vec<Op>>,
    pub(crate) shadows: BTreeMap<Key, Shadow>,
    pub(crate) cursors: BTreeMap<Kind, CursorState>,
    pub(crate) quarantined: BTreeSet<Key>,
    /// What a restored server had lost, as it was exported.
    pub(crate) exported: Vec<JsonMap>,
}

/// A store in memory never waits to be read.
pub(crate) fn now<T>(future: impl Future<Output = Result<T, StoreError>>) -> Result<T, StoreError> {
    let stuck = || StoreError::new(sync_core::StoreErrorKind::Busy, "the store waits");
    future.now_or_never().unwrap_or_else(|| Err(stuck()))
}

impl Seen {
    pub(crate) fn of(
        store: &MemoryStore,
        keys: &[Key],
        tables: &[SimTable],
    ) -> Result<Self, StoreError> {
        let mut seen = Self::default();
        let mut tx = now(store.begin(TxMode::Read))?;
        for mut op in now(tx.ops(&OpQuery::default()))? {
            updates::op_to_new(&mut op);
            let key = (op.kind.clone(), op.entity_id.clone());
            seen.ops.entry(key).or_default().push(op);
        }
        for table in tables {
            let kind = table.kind();
            let ids: Vec<_> = keys
                .iter()
                .filter(|key| key.0 == *kind)
                .map(|key| key.1.clone())
                .collect();
            for mut row in store.rows(kind) {
                updates::to_new(kind, row.fields_mut());
                if let Ok(id) = row.id() {
                    let own = table.local_fields();
                    let own = own.filter_map(|field| row.fields_mut().remove_entry(field));
                    let local = own.collect();
                    seen.local.insert((kind.clone(), id.clone()), local);
                    seen.rows.insert((kind.clone(), id), row);
                }
            }
            for (id, version) in now(tx.versions(kind, &ids))? {
                seen.versions.insert((kind.clone(), id), version);
            }
            for mut shadow in now(tx.shadows(kind, &ids))? {
                updates::shadow_to_new(&mut shadow);
                let key = (kind.clone(), shadow.entity_id.clone());
                seen.shadows.insert(key, shadow);
            }
            if let Some(cursor) = now(tx.cursor(kind))? {
                seen.cursors.insert(kind.clone(), cursor);
            }
            for entry in now(tx.quarantined(kind, None, u32::MAX))? {
                if entry.cause == QuarantineCause::ServerRestored {
                    let mut row = entry.row.as_object().cloned().unwrap_or_default();
                    updates::to_new(kind, &mut row);
                    seen.exported.push(row);
                    continue;
                }
                let of_entry = ids.iter().find(|id| id.as_str() == entry.key);
                if let Some(id) = of_entry {
                    seen.quarantined.insert((kind.clone(), id.clone()));
                }
            }
        }
        Ok(seen)
    }

    /// Is there nothing at all?
    pub(crate) fn is_empty(&self) -> bool {
        self.rows.is_empty()
            && self.versions.is_empty()
            && self.ops.is_empty()
            && self.shadows.is_empty()
            && self.cursors.is_empty()
            && self.quarantined.is_empty()
            && self.exported.is_empty()
    }

    pub(crate) fn ops_of(&self, key: &Key) -> &[Op] {
        self.ops.get(key).map_or(&[], Vec::as_slice)
    }

    pub(crate) fn all_ops(&self) -> impl Iterator<Item = &Op> {
        self.ops.values().flatten()
    }

    /// Is the entity the server's alone, without anything of the user's that waits?
    pub(crate) fn is_settled(&self, key: &Key) -> bool {
        self.ops_of(key).is_empty() && !self.shadows.contains_key(key)
    }

    /// The live row.
    pub(crate) fn live(&self, key: &Key) -> Option<&JsonMap> {
        let row = self.rows.get(key)?;
        (!row.is_deleted()).then(|| row.fields())
    }

    /// The newest stamp of the server's that this database knows of an entity.
    pub(crate) fn newest_known(&self, key: &Key) -> Option<Timestamp> {
        let row = self.versions.get(key).cloned().flatten();
        let shadow = self.shadows.get(key);
        let base = shadow.and_then(|shadow| shadow.base.version().cloned());
        let parked = shadow.and_then(|shadow| shadow.parked.as_ref());
        let parked = parked.and_then(ServerState::version).cloned();
        let verdicts = self.ops_of(key).iter();
        let judged = verdicts.filter_map(|op| op.verdict.as_ref()?.judged.clone());
        let versions = row.into_iter().chain(base).chain(parked).chain(judged);
        versions.map(|version| version.stamp).max()
    }
}

/// Do both say the same, what only the server writes aside? An absent field is null.
pub(crate) fn same_content(one: &JsonMap, other: &JsonMap) -> bool {
    let names = one.keys().chain(other.keys());
    names
        .filter(|name| !is_system_field(name))
        .all(|name| same_field(one.get(name), other.get(name)))
}
