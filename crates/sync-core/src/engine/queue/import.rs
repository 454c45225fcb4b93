//! Taking over the queue of another device.

use std::io;

use uuid::Uuid;

use super::Outbox;
use super::export::{FORMAT, Line, What};
use crate::context::Context;
use crate::entity::without_contents;
use crate::error::SyncError;
use crate::op::Change;
use crate::stats::SyncStats;
use crate::store::{OpQuery, StoreTx, TxMode};
use crate::writer::{Write, without_tombstone};

/// Where it is noted which files were imported: a list of fingerprints, oldest first.
pub(crate) const IMPORTED_FILES: &str = "imported_files";

/// So many files are remembered.
const REMEMBERED: usize = 100;

/// What an import did.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct Imported {
    /// Operations that were written, row and all.
    pub written: u64,
    /// Operations that changed nothing: the row says so already.
    pub unchanged: u64,
    /// Operations that were passed over: they wait here themselves, or this very file was imported
    /// before.
    pub skipped: u64,
}

/// A line that can be written.
struct Entry {
    number: u64,
    line: Line,
    write: Write,
}

impl Outbox {
    /// Writes what [`Outbox::export`] wrote, on another device or earlier on this one: each line is
    /// an ordinary edit of this device, row and operation, in the order of the file. It gets an id
    /// of its own, so if its first owner sends it too, the server sees two edits that want the same.
    /// An edit of a row that is not here creates it.
    ///
    /// All lines or none: they are read first, in place, and then written in one transaction.
    ///
    /// An operation that still waits here is passed over, and so is a whole file that was imported
    /// before, by its content; the last 100 files are remembered.
    ///
    /// ```
    /// # use sync_core::{SyncEngine, SyncError};
    /// # async fn example(engine: &SyncEngine, lines: &[u8]) -> Result<(), SyncError> {
    /// let imported = engine.outbox().import(lines).await?;
    /// println!("{} edits taken over", imported.written);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// [`SyncError::ImportLine`] with the number of the first line that cannot be used,
    /// [`SyncError::Io`] if `lines` fails, [`SyncError::Store`]. After an error nothing has changed.
    pub async fn import(&self, lines: impl io::BufRead + Send) -> Result<Imported, SyncError> {
        let (entries, fingerprint) = self.read(lines)?;
        let (mut imported, mut events) = (Imported::default(), Vec::new());
        let mut tx = self.engine.store().begin(TxMode::Write).await?;
        if !is_new(&mut *tx, &fingerprint).await? {
            imported.skipped = entries.len() as u64;
            return Ok(imported);
        }
        for Entry {
            number,
            line,
            write,
        } in entries
        {
            let query = OpQuery {
                op_id: Some(line.op_id.clone()),
                ..OpQuery::default()
            };
            if tx.count_ops(&query).await? > 0 {
                imported.skipped += 1;
                continue;
            }
            let write = on_what_is_here(&mut *tx, &line, write).await?;
            let writer = self.engine.records(line.kind.as_str())?;
            match writer.apply(&mut *tx, write, &mut events).await {
                Ok(true) => imported.written += 1,
                Ok(false) => imported.unchanged += 1,
                Err(SyncError::Store(error)) => return Err(error.into()),
                Err(SyncError::ShutDown) => return Err(SyncError::ShutDown),
                Err(error) => return Err(unusable(number, error.to_string())),
            }
        }
        tx.commit().await?;
        let context = self.engine.context();
        context.tell(events, &mut SyncStats::default());
        Ok(imported)
    }

    /// All lines, and what tells the file from others.
    fn read(&self, lines: impl io::BufRead) -> Result<(Vec<Entry>, String), SyncError> {
        let mut entries = Vec::new();
        let mut content = Uuid::nil();
        for (number, line) in (1..).zip(lines.split(b'\n')) {
            let line = line.map_err(|source| SyncError::Io {
                what: "read the import",
                source,
            })?;
            content = Uuid::new_v5(&content, &line);
            if line.trim_ascii().is_empty() {
                continue;
            }
            let line = parse(&line).map_err(|reason| unusable(number, reason))?;
            let write = write_of(&line, self.engine.context())
                .map_err(|reason| unusable(number, reason))?;
            entries.push(Entry {
                number,
                line,
                write,
            });
        }
        Ok((entries, content.to_string()))
    }
}

fn unusable(line: u64, reason: String) -> SyncError {
    SyncError::ImportLine { line, reason }
}

fn parse(line: &[u8]) -> Result<Line, String> {
    let told = |error: serde_json::Error| without_contents(&error).to_string();
    let value: serde_json::Value =
        serde_json::from_slice(line).map_err(|_| "it is not JSON".to_owned())?;
    let format = value.get("format").and_then(serde_json::Value::as_u64);
    match format {
        Some(format) if format > u64::from(FORMAT) => Err(format!(
            "it has format {format}, this version of the library knows formats up to {FORMAT}: \
             update the app"
        )),
        Some(_) => serde_json::from_value(value).map_err(told),
        None => Err("it has no format: it was not written by an export".to_owned()),
    }
}

/// The edit that a line stands for, in the present version of its table's schema.
fn write_of(line: &Line, context: &Context) -> Result<Write, String> {
    let table = context
        .table(&line.kind)
        .map_err(|error| error.to_string())?;
    let payload = match (line.change, &line.record) {
        (What::Delete, _) => return Ok(Write::Delete(line.id.clone())),
        (What::Upsert, None) => return Err("an upsert needs a record".to_owned()),
        (What::Upsert, Some(record)) => record.clone(),
    };
    if payload.id().ok().as_ref() != Some(&line.id) {
        return Err("the id in the record is another one".to_owned());
    }
    let changed = line.changed.clone();
    let edit = Change::Upsert { payload, changed };
    let lifted = table.upcasts.change(line.schema_version, &edit, None)?;
    Ok(match lifted {
        Change::Upsert { payload, changed } => {
            let payload = without_tombstone(payload);
            match changed {
                Some(changed) => Write::Change(payload, changed),
                None => Write::Upsert(payload),
            }
        }
        Change::Delete => Write::Delete(line.id.clone()),
    })
}

/// An edit of a row that is not here creates it.
async fn on_what_is_here(
    tx: &mut dyn StoreTx,
    line: &Line,
    write: Write,
) -> Result<Write, SyncError> {
    let Write::Change(record, changed) = write else {
        return Ok(write);
    };
    let row = tx.get(&line.kind, std::slice::from_ref(&line.id)).await?;
    Ok(if row.iter().any(|row| !row.is_deleted()) {
        Write::Change(record, changed)
    } else {
        Write::Upsert(record)
    })
}

/// Is this file a new one? It is not from now on.
async fn is_new(tx: &mut dyn StoreTx, fingerprint: &str) -> Result<bool, SyncError> {
    let noted = tx.meta(IMPORTED_FILES).await?.unwrap_or_default();
    let mut files: Vec<&str> = noted.split_whitespace().collect();
    if files.contains(&fingerprint) {
        return Ok(false);
    }
    files.push(fingerprint);
    let oldest = files.len().saturating_sub(REMEMBERED);
    let files = files.split_off(oldest).join(" ");
    tx.put_meta(IMPORTED_FILES, Some(&files)).await?;
    Ok(true)
}
