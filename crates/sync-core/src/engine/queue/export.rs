//! The queue as a file: what waits here, to be kept or carried elsewhere.

use std::collections::{BTreeMap, BTreeSet};
use std::io;

use serde::{Deserialize, Serialize};

use super::Outbox;
use crate::changed_fields::ChangedFields;
use crate::error::SyncError;
use crate::id::{EntityId, Kind, OpId};
use crate::op::{Change, Fate, Op, Shadow};
use crate::record::Record;
use crate::store::{OpQuery, StoreTx, TxMode};
use crate::time::Timestamp;
use crate::version::ServerState;

/// The version of the lines that this library writes.
pub(super) const FORMAT: u32 = 2;

const AT_A_TIME: u32 = 500;

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum What {
    Upsert,
    Delete,
}

/// One line of the file: one operation as the user wrote it.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Line {
    pub(super) format: u32,
    pub(super) op_id: OpId,
    pub(super) kind: Kind,
    pub(super) id: EntityId,
    pub(super) change: What,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) record: Option<Record>,
    /// `None` = all fields.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) changed: Option<ChangedFields>,
    pub(super) written_at: Timestamp,
    pub(super) schema_version: u32,
    /// What the server had when the oldest edit of this record that waits was made; absent in
    /// format 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) base: Option<ServerState>,
    /// The version of the table's schema that `base` is of, if that is another one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) base_schema_version: Option<u32>,
    /// Was it sent, and has nobody heard whether it arrived?
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(super) may_have_arrived: bool,
}

/// What the library remembers of the records that have operations.
type Shadows = BTreeMap<(Kind, EntityId), Shadow>;

impl Line {
    fn new(op: Op, shadows: &Shadows) -> Self {
        // A record that nobody met has no shadow.
        let shadow = shadows.get(&(op.kind.clone(), op.entity_id.clone()));
        let base = shadow.map_or(ServerState::Absent, |shadow| shadow.base.clone());
        let base_version = shadow.map(|shadow| shadow.schema_version);
        let (change, record, changed) = match op.written {
            Change::Upsert { payload, changed } => (What::Upsert, Some(payload), changed),
            Change::Delete => (What::Delete, None, None),
        };
        Self {
            format: FORMAT,
            op_id: op.op_id,
            kind: op.kind,
            id: op.entity_id,
            change,
            record,
            changed,
            written_at: op.written_at,
            schema_version: op.schema_version,
            base: Some(base),
            base_schema_version: base_version.filter(|version| *version != op.schema_version),
            may_have_arrived: op.fate == Fate::Unknown,
        }
    }
}

impl Outbox {
    /// Writes everything that waits as JSON Lines, in the order of the queue, one line for each
    /// operation as the user wrote it; returns how many. Nothing changes here. Reads page by page,
    /// from one state of the database. `out` is written to in place: one that is slow belongs on a
    /// thread that may block.
    ///
    /// ```
    /// # use sync_core::{SyncEngine, SyncError};
    /// # async fn example(engine: &SyncEngine) -> Result<(), SyncError> {
    /// let mut lines = Vec::new();
    /// engine.outbox().export(&mut lines).await?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// A line has `format` (2), `op_id`, `kind`, `id`, `change` (`upsert` or `delete`), for an upsert
    /// `record` and `changed` (the names of the changed fields; absent = all), `written_at`,
    /// `schema_version` ([`crate::TableConfig::upcast`]), and `base`: what the server had when the
    /// oldest edit of the record that waits was made. It holds the users' data: treat it so.
    ///
    /// # Errors
    /// [`SyncError::Io`] if `out` fails, [`SyncError::Store`] if the database does.
    pub async fn export(&self, mut out: impl io::Write + Send) -> Result<u64, SyncError> {
        let failed = |source| SyncError::Io {
            what: "write the export",
            source,
        };
        let mut tx = self.engine.context().store.begin(TxMode::Read).await?;
        let mut query = OpQuery {
            limit: Some(AT_A_TIME),
            ..OpQuery::default()
        };
        let mut written = 0;
        loop {
            let ops = tx.ops(&query).await?;
            let Some(last) = ops.last() else {
                out.flush().map_err(failed)?;
                return Ok(written);
            };
            query.after_seq = Some(last.seq);
            let shadows = shadows_of(&mut *tx, &ops).await?;
            for op in ops {
                let line = Line::new(op, &shadows);
                let line = serde_json::to_vec(&line).map_err(io::Error::from);
                let mut line = line.map_err(failed)?;
                line.push(b'\n');
                out.write_all(&line).map_err(failed)?;
                written += 1;
            }
        }
    }
}

async fn shadows_of(tx: &mut dyn StoreTx, ops: &[Op]) -> Result<Shadows, SyncError> {
    let mut entities: BTreeMap<&Kind, BTreeSet<&EntityId>> = BTreeMap::new();
    for op in ops {
        entities.entry(&op.kind).or_default().insert(&op.entity_id);
    }
    let mut shadows = Shadows::new();
    for (kind, ids) in entities {
        let ids: Vec<EntityId> = ids.into_iter().cloned().collect();
        for shadow in tx.shadows(kind, &ids).await? {
            shadows.insert((kind.clone(), shadow.entity_id.clone()), shadow);
        }
    }
    Ok(shadows)
}
