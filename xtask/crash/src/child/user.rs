//! What the user of the process does: writes at random, each told before and after.

use std::sync::Arc;
use std::time::Duration;

use futures::future::BoxFuture;
use serde_json::{Value, json};
use sync_core::store::{OpQuery, Store, StoreTx, TxMode};
use sync_core::{ChangedFields, EntityId, Kind, Record, RecordWriter, SyncEngine};

use super::stage::say;
use super::watched::{USER, WatchedStore};
use crate::Result;
use crate::line::{Act, Line};
use crate::tables::{FLAGS, LABELS, NOTES, TALLIES, ids, mark, record, refused_ids};

/// The longest pause between two writes.
const LONGEST_PAUSE: Duration = Duration::from_millis(3);
/// Notes beyond this number are created without being edited again.
const EDITED_NOTES: usize = 30;

/// One user.
pub(crate) struct User {
    engine: SyncEngine,
    store: Arc<WatchedStore>,
    dice: fastrand::Rng,
    number: u64,
}

/// A write inside its transaction. `false`: there was nothing to do.
type Inside<'a> = BoxFuture<'a, Result<bool>>;

impl User {
    /// A user whose next write bears this number.
    pub(crate) fn new(
        engine: SyncEngine,
        store: Arc<WatchedStore>,
        seed: u64,
        number: u64,
    ) -> Self {
        Self {
            engine,
            store,
            dice: fastrand::Rng::with_seed(seed),
            number,
        }
    }

    /// Writes until the process is killed.
    pub(crate) async fn write_on(mut self) -> Result<()> {
        loop {
            self.act().await?;
            // There is nothing to wait for: this is how busy the user is. One who never rests would
            // hold the only writer all the time, and no run would get on.
            let pause = LONGEST_PAUSE.mul_f64(self.dice.f64());
            tokio::time::sleep(pause).await;
        }
    }

    async fn act(&mut self) -> Result<()> {
        match self.dice.u8(..100) {
            0..30 => {
                let id = self.some_note().await?;
                self.write(NOTES, &id, add_token).await
            }
            30..36 => {
                let id = format!("created-{}", self.number);
                self.write(NOTES, &id, add_token).await
            }
            36..41 => {
                let id = format!("brief-{}", self.number);
                self.write(NOTES, &id, add_token).await
            }
            41..46 => self.delete_note().await,
            46..64 => {
                let id = self.some_id(TALLIES);
                self.write(TALLIES, &id, count_one).await
            }
            64..78 => {
                let id = self.some_id(LABELS);
                self.write(LABELS, &id, set_text).await
            }
            78..91 => {
                let id = self.some_id(FLAGS);
                self.write(FLAGS, &id, set_text).await
            }
            91..98 => {
                let id = self.some_refused();
                self.write(FLAGS, &id, set_text).await
            }
            _ => self.discard().await,
        }
    }

    fn some_id(&mut self, kind: &str) -> String {
        let all: Vec<String> = ids(kind).collect();
        all[self.dice.usize(..all.len())].clone()
    }

    fn some_refused(&mut self) -> String {
        let all: Vec<String> = refused_ids().collect();
        all[self.dice.usize(..all.len())].clone()
    }

    /// One of the first notes, or one of the first that were created here.
    async fn some_note(&mut self) -> Result<String> {
        let mut all: Vec<String> = ids(NOTES).collect();
        let sql = "SELECT id FROM notes WHERE id LIKE 'created-%' LIMIT ?";
        let limit = i64::try_from(EDITED_NOTES)?;
        let created: Vec<String> = sqlx::query_scalar(sql)
            .bind(limit)
            .fetch_all(self.store.file.pool())
            .await?;
        all.extend(created);
        Ok(all[self.dice.usize(..all.len())].clone())
    }

    fn next_number(&mut self) -> u64 {
        self.number += 1;
        self.number - 1
    }

    /// Tells that a call returned, as the last thing of its phase.
    fn returned(&self, number: u64, did_something: bool) {
        say(&if did_something {
            Line::Done(number)
        } else {
            Line::Skipped(number)
        });
        self.store.stage.transaction_ends();
    }

    async fn write(
        &mut self,
        kind: &str,
        id: &str,
        inside: for<'a> fn(&'a mut dyn StoreTx, &'a Place) -> Inside<'a>,
    ) -> Result<()> {
        let number = self.next_number();
        let place = Place {
            writer: self.engine.records(kind)?,
            kind: Kind::new(kind)?,
            id: EntityId::new(id)?,
            number,
        };
        let written = USER
            .scope((), async {
                let mut tx = self.store.begin(TxMode::Write).await?;
                let written = inside(&mut *tx, &place).await?;
                if written {
                    tx.commit().await?;
                }
                Result::Ok(written)
            })
            .await?;
        self.returned(number, written);
        Ok(())
    }

    async fn delete_note(&mut self) -> Result<()> {
        let sql = "SELECT id FROM notes WHERE id LIKE 'brief-%' AND deleted_at IS NULL LIMIT 1";
        let found: Option<String> = sqlx::query_scalar(sql)
            .fetch_optional(self.store.file.pool())
            .await?;
        let Some(id) = found else {
            return Ok(());
        };
        let writer = self.engine.records(NOTES)?;
        let number = self.next_number();
        begins(number, Act::Delete, NOTES, &id);
        let entity = EntityId::new(&*id)?;
        let deleted = USER.scope((), writer.delete(&entity)).await?;
        self.returned(number, deleted);
        Ok(())
    }

    async fn discard(&mut self) -> Result<()> {
        let id = self.some_refused();
        let number = self.next_number();
        begins(number, Act::Discard, FLAGS, &id);
        let (kind, entity) = (Kind::new(FLAGS)?, EntityId::new(&*id)?);
        let discarded = USER
            .scope((), self.engine.outbox().discard(&kind, &entity))
            .await?;
        self.returned(number, !discarded.op_ids.is_empty());
        Ok(())
    }
}

fn begins(number: u64, act: Act, kind: &str, id: &str) {
    say(&Line::Begins {
        number,
        act,
        kind: kind.to_owned(),
        id: id.to_owned(),
    });
}

/// A record to be written, and the number of the write.
struct Place {
    writer: RecordWriter,
    kind: Kind,
    id: EntityId,
    number: u64,
}

impl Place {
    /// Tells that it is written now: from here on it may be in the file.
    fn begins(&self) {
        begins(
            self.number,
            Act::Write,
            self.kind.as_str(),
            self.id.as_str(),
        );
    }

    fn mark(&self) -> String {
        mark(self.number)
    }

    async fn row(&self, tx: &mut dyn StoreTx) -> Result<Option<Record>> {
        let row = tx.get(&self.kind, std::slice::from_ref(&self.id)).await?;
        Ok(row.into_iter().next().filter(|row| !row.is_deleted()))
    }

    /// Sets one field of a record that is there.
    async fn set(&self, tx: &mut dyn StoreTx, field: &str, value: Value) -> Result<bool> {
        self.begins();
        let record = Record::try_from(json!({"id": self.id.as_str(), field: value}))?;
        let changed: ChangedFields = std::iter::once(field.to_owned()).collect();
        Ok(self.writer.within(tx).change(record, &changed).await?)
    }

    async fn create(&self, tx: &mut dyn StoreTx, text: &str, tokens: &[String]) -> Result<bool> {
        self.begins();
        let record = Record::try_from(record(self.id.as_str(), text, tokens))?;
        self.writer.within(tx).insert(record).await?;
        Ok(true)
    }
}

/// Adds the mark of this write to the list, creating the note if it is not there.
fn add_token<'a>(tx: &'a mut dyn StoreTx, place: &'a Place) -> Inside<'a> {
    Box::pin(async move {
        let Some(row) = place.row(tx).await? else {
            // The first notes come from the server.
            return if !place.id.as_str().starts_with(NOTES) {
                place.create(tx, "", &[place.mark()]).await
            } else {
                Ok(false)
            };
        };
        let tokens = row.get("tokens").and_then(Value::as_array);
        let mut tokens = tokens.cloned().unwrap_or_default();
        tokens.push(place.mark().into());
        place.set(tx, "tokens", tokens.into()).await
    })
}

/// Counts one more, unless an earlier count still waits: the sum is then known exactly.
fn count_one<'a>(tx: &'a mut dyn StoreTx, place: &'a Place) -> Inside<'a> {
    Box::pin(async move {
        let waiting = OpQuery::of(&place.kind, std::slice::from_ref(&place.id));
        if tx.count_ops(&waiting).await? > 0 {
            return Ok(false);
        }
        let Some(row) = place.row(tx).await? else {
            return Ok(false);
        };
        let count = row.get("count").and_then(Value::as_i64).unwrap_or(0);
        place.set(tx, "count", (count + 1).into()).await
    })
}

/// Sets the text to the mark of this write, creating the record if it is not there.
fn set_text<'a>(tx: &'a mut dyn StoreTx, place: &'a Place) -> Inside<'a> {
    Box::pin(async move {
        let text = place.mark();
        if place.row(tx).await?.is_none() {
            return place.create(tx, &text, &[]).await;
        }
        place.set(tx, "text", text.into()).await
    })
}
