//! A queued operation that cannot be read any more is built anew from what is left: one spoilt row
//! must not stop the sync of all others.

use rusqlite::{Connection, Row};
use sync_core::store::StoreError;
use sync_core::{Change, EntityId, Fate, Kind, Op, OpId, OpStatus, Timestamp};

use super::read;
use crate::codec::stamp_from_text;
use crate::error::{Context, corrupt};
use crate::sqlite::table::{Tables, table_of};

const WHAT: &str = "an operation";
const NOTE: &str =
    "what was noted of this operation could not be read; it was built anew from its row";

/// The operation, built anew.
///
/// The user's row holds every edit, so it is the content, and all of it counts as changed as far
/// as it differs from the base. Whatever was decided or sent before is unknown: the engine looks at the
/// server first and merges, under a key that was never used.
///
/// # Errors
/// Fails if it is not even known whose operation it is, or if an edit's row is gone.
pub(super) fn rebuild(
    db: &Connection,
    tables: &Tables,
    stored: &Row<'_>,
) -> Result<Op, StoreError> {
    let text =
        |at: usize| -> Result<String, StoreError> { stored.get(at).context("read an operation") };
    let whose = |error| corrupt(WHAT, error);
    let op_id = OpId::new(text(1)?).map_err(whose)?;
    let kind = Kind::new(text(2)?).map_err(whose)?;
    let entity_id = EntityId::new(text(3)?).map_err(whose)?;
    let written = if text(4)? == "delete" {
        Change::Delete
    } else {
        content(db, tables, &kind, &entity_id)?
    };
    let written_at = stamp_from_text(&text(7)?).unwrap_or_else(|_| long_ago());
    let mut op = Op::new(op_id, kind, entity_id, written, written_at);
    op.seq = stored.get(0).context("read an operation")?;
    op.round = stored.get::<_, u32>(10).context("read an operation")?;
    op.round = op.round.saturating_add(1);
    op.ever_sent = stored.get(12).context("read an operation")?;
    if op.ever_sent {
        op.fate = Fate::Unknown;
    }
    // The row is of the app's present version, which this one was written under as far as is known.
    op.schema_version = stored.get(18).context("read an operation")?;
    op.status = match &*text(13)? {
        "stuck" => OpStatus::Stuck,
        _ => OpStatus::Pending,
    };
    op.last_error = Some(NOTE.to_owned());
    tracing::warn!(kind = %op.kind, op_id = %op.op_id, "{NOTE}");
    Ok(op)
}

fn content(
    db: &Connection,
    tables: &Tables,
    kind: &Kind,
    id: &EntityId,
) -> Result<Change, StoreError> {
    let table = table_of(tables, kind)?;
    let row = read::get(db, table, std::slice::from_ref(id))?.pop();
    let payload =
        row.ok_or_else(|| corrupt(WHAT, format!("{kind}/{id} has no row to read it from")))?;
    Ok(Change::Upsert {
        payload,
        changed: None,
    })
}

/// A time that loses against every other.
fn long_ago() -> Timestamp {
    Timestamp::from_unix_nanos(0)
}
