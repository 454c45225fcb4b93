//! Correcting what waits.

use super::Outbox;
use crate::error::SyncError;
use crate::id::OpId;
use crate::record::Record;
use crate::stats::SyncStats;
use crate::store::{OpQuery, TxMode};
use crate::system_fields::is_system_field;
use crate::writer::Write;

impl Outbox {
    /// Corrects the record that a waiting operation is about, for instance after the server refused
    /// it: `correct` gets the row as it is now, and what differs afterwards is written like any edit
    /// of the user's. It becomes part of the waiting operation, or waits behind one that may be on
    /// its way; what was set aside takes part again. System fields, the id among them, stay.
    ///
    /// `false`: there was nothing to correct. The operation is gone, the record is deleted here, or
    /// nothing differs.
    ///
    /// The typed way to the same is [`crate::EntityWriter::update_with`].
    ///
    /// ```
    /// # use sync_core::{SyncEngine, SyncError};
    /// # async fn example(engine: &SyncEngine) -> Result<(), SyncError> {
    /// let outbox = engine.outbox();
    /// for op in outbox.stuck().await? {
    ///     // 422: "title: at most 80 characters"
    ///     let shorten = |todo: &mut sync_core::Record| {
    ///         let title = todo.get("title").and_then(|title| title.as_str()).unwrap_or_default();
    ///         let short: String = title.chars().take(80).collect();
    ///         todo.fields_mut().insert("title".to_owned(), short.into());
    ///     };
    ///     outbox.edit(&op.op_id, shorten).await?;
    /// }
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// [`SyncError::UnknownKind`], [`SyncError::RowRejected`] if the table refuses the row,
    /// [`SyncError::Store`]. After an error nothing has changed.
    pub async fn edit(
        &self,
        op_id: &OpId,
        correct: impl FnOnce(&mut Record) + Send,
    ) -> Result<bool, SyncError> {
        let mut tx = self.engine.store().begin(TxMode::Write).await?;
        let query = OpQuery {
            op_id: Some(op_id.clone()),
            ..OpQuery::default()
        };
        let Some(op) = tx.ops(&query).await?.pop() else {
            return Ok(false);
        };
        let writer = self.engine.records(op.kind.as_str())?;
        let row = tx.app_rows(&op.kind, &[op.entity_id]).await?.pop();
        let Some(before) = row.filter(|row| !row.is_deleted()) else {
            return Ok(false);
        };
        let mut after = before.clone();
        correct(&mut after);
        let after = with_system_fields(after, &before);
        let (write, mut events) = (Write::Update { before, after }, Vec::new());
        let edited = writer.apply(&mut *tx, write, &mut events).await?;
        tx.commit().await?;
        let context = self.engine.context();
        context.tell(events, &mut SyncStats::default());
        Ok(edited)
    }
}

/// The record with the system fields of the row.
fn with_system_fields(record: Record, row: &Record) -> Record {
    let own = record.into_fields().into_iter();
    let own = own.filter(|(name, _)| !is_system_field(name));
    let rows = row
        .fields()
        .iter()
        .filter(|(name, _)| is_system_field(name));
    own.chain(rows.map(|(name, value)| (name.clone(), value.clone())))
        .collect()
}
