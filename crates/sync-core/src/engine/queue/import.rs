//! Taking over the queue of another device.

use std::collections::{BTreeMap, BTreeSet};
use std::io;

use uuid::Uuid;

use super::Outbox;
use super::export::{FORMAT, Line, What};
use crate::changed_fields::ChangedFields;
use crate::context::Context;
use crate::entity::without_contents;
use crate::error::SyncError;
use crate::id::{EntityId, Kind, OpId};
use crate::op::Change;
use crate::outbox::Carried;
use crate::stats::SyncStats;
use crate::store::{OpQuery, StoreTx, TxMode};
use crate::system_fields::is_system_field;
use crate::version::ServerState;
use crate::writer::{TakenOver, without_tombstone};

/// Where it is noted which files were imported.
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
    /// Operations that were passed over: they wait here themselves, or were taken over before.
    pub skipped: u64,
    /// Operations that were left out, because other edits of their records wait here. Import the file
    /// again once those have arrived: these lines alone are looked at then.
    pub left_out: u64,
}

/// A line that can be written.
struct Entry {
    number: u64,
    op_id: OpId,
    key: (Kind, EntityId),
    edit: Carried,
}

impl Outbox {
    /// Takes over what [`Outbox::export`] wrote, on another device or earlier on this one: each line
    /// becomes an edit of this device, row and operation, in the order of the file, as old as it is
    /// and made on what it was made on. What others have changed since is a conflict, which the
    /// table's strategy decides before anything is sent. It gets an id of its own, so if its first
    /// owner sends it too, the server sees two edits that want the same.
    ///
    /// All lines or none: they are read first, in place, and then written in one transaction.
    ///
    /// An operation that still waits here is passed over, and so is what was taken over from the
    /// same file before, told by its content; the last 100 files are remembered. An operation whose
    /// record has other edits waiting here is left out ([`Imported::left_out`]).
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
        let mut files = Files::load(&mut *tx).await?;
        let left_before = files.left_out(&fingerprint);
        let mut left_out = Vec::new();
        // What the lines so far made of a record, and the records of which an operation waits now.
        let mut made: BTreeMap<(Kind, EntityId), ServerState> = BTreeMap::new();
        let mut taken = BTreeSet::new();
        for entry in entries {
            let Entry {
                number,
                op_id,
                key,
                mut edit,
            } = entry;
            if let Some(before) = made.insert(key.clone(), outcome(&edit.change)) {
                edit.made_on = Some(before);
            }
            let is_new = left_before
                .as_ref()
                .is_none_or(|left| left.contains(&number));
            if !is_new || waits(&mut *tx, op_id).await? {
                imported.skipped += 1;
                continue;
            }
            let (kind, id) = &key;
            let writer = self.engine.records(kind.as_str())?;
            let follows = taken.contains(&key);
            let outcome = writer
                .take_over(&mut *tx, id.clone(), edit, follows, &mut events)
                .await;
            match outcome {
                Ok(TakenOver::Queued) => {
                    imported.written += 1;
                    taken.insert(key);
                }
                Ok(TakenOver::Unchanged) => imported.unchanged += 1,
                Ok(TakenOver::LeftOut) => {
                    imported.left_out += 1;
                    left_out.push(number);
                }
                Err(SyncError::Store(error)) => return Err(error.into()),
                Err(SyncError::ShutDown) => return Err(SyncError::ShutDown),
                Err(error) => return Err(unusable(number, error.to_string())),
            }
        }
        files.note(&fingerprint, &left_out);
        files.save(&mut *tx).await?;
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
            let edit =
                edit_of(&line, self.engine.context()).map_err(|reason| unusable(number, reason))?;
            entries.push(Entry {
                number,
                op_id: line.op_id,
                key: (line.kind, line.id),
                edit,
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
fn edit_of(line: &Line, context: &Context) -> Result<Carried, String> {
    let table = context
        .table(&line.kind)
        .map_err(|error| error.to_string())?;
    let (schema, upcasts) = (&table.schema, &table.upcasts);
    let edit = edit_as_written(line)?;
    let base_version = line.base_schema_version.unwrap_or(line.schema_version);
    let before = line.base.as_ref().and_then(ServerState::live);
    let before = before.filter(|_| base_version == line.schema_version);
    let change = match upcasts.change(line.schema_version, &edit, before)? {
        Change::Upsert { payload, changed } => {
            let is_local_only = |name: &str| {
                let column = schema.by_field(name);
                column.is_some_and(|column| column.local_only)
            };
            let is_shared = |name: &&str| !is_system_field(name) && !is_local_only(name);
            Change::Upsert {
                payload: without_tombstone(payload),
                changed: changed.map(|changed| changed.iter().filter(is_shared).collect()),
            }
        }
        Change::Delete => Change::Delete,
    };
    let base = line.base.as_ref();
    Ok(Carried {
        change,
        made_on: base
            .map(|base| upcasts.state(base_version, base))
            .transpose()?,
        written_at: line.written_at.clone(),
        may_have_arrived: line.may_have_arrived,
    })
}

fn edit_as_written(line: &Line) -> Result<Change, String> {
    let payload = match (line.change, &line.record) {
        (What::Delete, _) => return Ok(Change::Delete),
        (What::Upsert, None) => return Err("an upsert needs a record".to_owned()),
        (What::Upsert, Some(record)) => record.clone(),
    };
    if payload.id().ok().as_ref() != Some(&line.id) {
        return Err("the id in the record is another one".to_owned());
    }
    let mut names = line.changed.iter().flat_map(ChangedFields::iter);
    if let Some(name) = names.find(|name| payload.get(name).is_none()) {
        return Err(format!("the changed field `{name}` is not in the record"));
    }
    let changed = line.changed.clone();
    Ok(Change::Upsert { payload, changed })
}

/// What a record is after this edit, as its user saw it.
fn outcome(change: &Change) -> ServerState {
    match change {
        Change::Upsert { payload, .. } => ServerState::Live {
            record: payload.clone(),
            version: None,
        },
        Change::Delete => ServerState::gone(),
    }
}

async fn waits(tx: &mut dyn StoreTx, op_id: OpId) -> Result<bool, SyncError> {
    let query = OpQuery {
        op_id: Some(op_id),
        ..OpQuery::default()
    };
    Ok(tx.count_ops(&query).await? > 0)
}

/// Which files were imported, oldest first: each with the lines that were left out.
struct Files(Vec<(String, BTreeSet<u64>)>);

impl Files {
    /// A note has words like `fingerprint` or `fingerprint:3,17`.
    async fn load(tx: &mut dyn StoreTx) -> Result<Self, SyncError> {
        let noted = tx.meta(IMPORTED_FILES).await?.unwrap_or_default();
        let file = |word: &str| {
            let (fingerprint, lines) = word.split_once(':').unwrap_or((word, ""));
            let lines = lines.split(',').filter_map(|line| line.parse().ok());
            (fingerprint.to_owned(), lines.collect())
        };
        Ok(Self(noted.split_whitespace().map(file).collect()))
    }

    /// The lines of a file that were left out; `None` = it was not imported yet.
    fn left_out(&self, fingerprint: &str) -> Option<BTreeSet<u64>> {
        let mut files = self.0.iter();
        let file = files.find(|(known, _)| known == fingerprint);
        file.map(|(_, lines)| lines.clone())
    }

    fn note(&mut self, fingerprint: &str, left_out: &[u64]) {
        self.0.retain(|(known, _)| known != fingerprint);
        let lines = left_out.iter().copied().collect();
        self.0.push((fingerprint.to_owned(), lines));
        let oldest = self.0.len().saturating_sub(REMEMBERED);
        self.0.drain(..oldest);
    }

    async fn save(&self, tx: &mut dyn StoreTx) -> Result<(), SyncError> {
        let word = |(fingerprint, lines): &(String, BTreeSet<u64>)| {
            let lines: Vec<String> = lines.iter().map(u64::to_string).collect();
            if lines.is_empty() {
                return fingerprint.clone();
            }
            format!("{fingerprint}:{}", lines.join(","))
        };
        let words: Vec<String> = self.0.iter().map(word).collect();
        tx.put_meta(IMPORTED_FILES, Some(&words.join(" "))).await?;
        Ok(())
    }
}
