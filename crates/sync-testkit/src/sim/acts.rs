//! What users do in a world.

use futures::FutureExt;
use futures::future::BoxFuture;
use serde_json::{Value, json};
use sync_core::SyncError;
use sync_core::json::JsonMap;

use super::check::{Violation, wrote_both};
use super::client::{ENDLESS, What};
use super::latest::Span;
use super::local;
use super::others::is_spoiled;
use super::schedule::Act;
use super::server::{Key, OFFENSIVE};
use super::tables::{FieldKind, SimTable};
use super::users::Writing;
use super::world::World;

/// What a user wants to write: `None` = delete.
struct Intent<'a> {
    table: &'a SimTable,
    key: Key,
    edit: Option<JsonMap>,
    /// What stays on the device.
    local: JsonMap,
}

impl<'a> World<'a> {
    pub(crate) fn act(&mut self, client: usize, act: Act) {
        if !self.clients[client].tasks.is_empty() {
            self.lock().counters.count("write during a run");
        }
        match act {
            Act::Discard { table, row } => {
                if let Some((_, key)) = self.place(table, row)
                    && !self.clients[client].seen.ops_of(&key).is_empty()
                {
                    self.ledger.loosen(&key);
                    self.clients[client].begin(What::Discard(key), None, 0);
                }
            }
            Act::Resolve { decision } => {
                self.loosen_conflicts(client);
                self.clients[client].begin_resolve(decision);
            }
            Act::Retry => self.retry(client),
            _ => {
                let Some(intent) = self.intent(client, act) else {
                    return;
                };
                self.write(client, &intent);
            }
        }
    }

    /// A table and one of its rows.
    pub(super) fn place(&self, table: u8, row: u8) -> Option<(&'a SimTable, Key)> {
        let tables = self.tables;
        let table = tables.get(usize::from(table) % tables.len().max(1))?;
        let mut keys = self.keys.iter().filter(|key| key.0 == *table.kind());
        let row = usize::from(row % self.setup.rows.max(1));
        Some((table, keys.nth(row)?.clone()))
    }

    /// Who decides a conflict by hand may give something up.
    fn loosen_conflicts(&mut self, client: usize) {
        let keys: Vec<Key> = self.clients[client].seen.ops.keys().cloned().collect();
        for key in keys {
            self.ledger.loosen(&key);
        }
    }

    fn intent(&mut self, client: usize, act: Act) -> Option<Intent<'a>> {
        let name = self.clients[client].name();
        let (table, row) = match act {
            Act::Write { table, row, .. }
            | Act::Mark { table, row, .. }
            | Act::Clear { table, row, .. }
            | Act::Offend { table, row }
            | Act::Delete { table, row } => (table, row),
            Act::Discard { .. } | Act::Resolve { .. } | Act::Retry => return None,
        };
        let (table, key) = self.place(table, row)?;
        let present = self.row(client, &key);
        let mut local = JsonMap::new();
        let edit = match act {
            Act::Delete { .. } => {
                present?;
                None
            }
            Act::Clear { field, .. } => {
                let column = table.field_at(field)?;
                let nullable = table.schema.by_field(&column.0)?.nullable;
                let is_plain = column.1 == FieldKind::Unique;
                let value = present?.get(&column.0).cloned().unwrap_or(Value::Null);
                if !nullable || !is_plain || value.is_null() {
                    return None;
                }
                Some(JsonMap::from_iter([(column.0.clone(), Value::Null)]))
            }
            Act::Offend { .. } => {
                let is_text = |column: &&(String, _, _)| column.2 == sync_core::ColumnType::Text;
                let column = table.fields.iter().find(is_text)?;
                present?;
                self.offended
                    .insert((self.clients[client].number, key.clone()));
                let number = self.values.next_number();
                let text = json!(format!("{OFFENSIVE} {number}"));
                Some(JsonMap::from_iter([(column.0.clone(), text)]))
            }
            Act::Write {
                fields, removes, ..
            } => {
                let was_here = self.clients[client].seen.rows.contains_key(&key);
                self.lock()
                    .counters
                    .count(match (&present, fields.count_ones()) {
                        (None, _) if was_here => "re-create",
                        (None, _) => "insert",
                        (Some(_), 0 | 1) => "edit one field",
                        (Some(_), _) => "edit several fields",
                    });
                Some(self.edit_of(name, table, present.as_ref(), fields, removes))
            }
            Act::Mark { fields, .. } => {
                let column = table.local_column()?;
                let value = self.values.edited(name, &column, None, false);
                local.insert(column.0, value);
                Some(self.edit_of(name, table, present.as_ref(), fields, false))
            }
            Act::Discard { .. } | Act::Resolve { .. } | Act::Retry => return None,
        };
        let mut edit = edit;
        if let Some(edit) = edit.as_mut().filter(|_| self.clients[client].is_old()) {
            super::updates::restrict(&key.0, edit);
        }
        let is_empty = edit.as_ref().is_some_and(JsonMap::is_empty) && local.is_empty();
        (!is_empty).then_some(Intent {
            table,
            key,
            edit,
            local,
        })
    }

    /// New values for some fields; for those too that a new row cannot do without.
    pub(super) fn edit_of(
        &mut self,
        writer: char,
        table: &SimTable,
        present: Option<&JsonMap>,
        fields: u16,
        removes: bool,
    ) -> JsonMap {
        let mut edit = JsonMap::new();
        for (place, column) in table.fields.iter().enumerate() {
            let nullable = table
                .schema
                .by_field(&column.0)
                .is_none_or(|column| column.nullable);
            let is_meant = (0..16).any(|bit| {
                let wrapped = bit % table.fields.len().max(1);
                (fields >> bit) & 1 == 1 && wrapped == place
            });
            let is_needed = present.is_none() && (!nullable || place == 0);
            if is_meant || is_needed {
                let before = present.and_then(|row| row.get(&column.0));
                let value = match column.1 {
                    FieldKind::Refers => self.some_parent(writer, table, &column.0),
                    _ => {
                        // A list that grows says something new each time.
                        let removes = removes && !table.is_whole(&column.0);
                        self.values.edited(writer, column, before, removes)
                    }
                };
                edit.insert(column.0.clone(), value);
            }
        }
        edit
    }

    fn writing(&self, client: usize, intent: &Intent<'_>) -> Result<Writing, SyncError> {
        let one = &self.clients[client];
        match &intent.edit {
            Some(edit) => one.write(intent.table, &intent.key, edit, &intent.local),
            None => one.delete(
                &intent.key,
                super::related::children(self.tables, &intent.key.0),
            ),
        }
    }

    /// A write to its end; whatever is under way goes on if it is in the way.
    fn write(&mut self, client: usize, intent: &Intent<'a>) {
        self.write_until(client, intent, ENDLESS);
    }

    /// A write that gets so far; returns whether it came to its end.
    fn write_until(&mut self, client: usize, intent: &Intent<'a>, awaits: u32) {
        let mut writing = match self.writing(client, intent) {
            Ok(writing) => writing,
            Err(error) => return self.fail(Violation::new("I1", error.to_string())),
        };
        let mut span = Span::at(&self.clients[client]);
        for _ in 0..awaits {
            span.reaches(&self.clients[client]);
            let ended = (&mut writing).now_or_never();
            if self.clients[client].store.commits() > self.clients[client].seen.commits {
                // What this poll committed is the write, nothing else was polled.
                let queued = matches!(ended, Some(Ok(true)));
                if queued {
                    self.note_write(client, &intent.key, intent.edit.as_ref(), span);
                }
                self.written(client, intent, queued);
            }
            match ended {
                Some(Ok(_)) => return,
                // The row is no more what the user saw: a pull was faster.
                Some(Err(error)) if is_overtaken(&error) => return,
                // What the server has in its place does not fit the table.
                Some(Err(SyncError::RowRejected { .. })) if self.was_spoiled(&intent.key) => return,
                Some(Err(error)) if self.refuses(client, &intent.key, &error) => return,
                Some(Err(error)) => {
                    return self.fail(Violation::new("I1", format!("a write failed: {error}")));
                }
                None => self.poll(client),
            }
        }
        if awaits == ENDLESS {
            let violation = Violation::new("I10", "a write does not end");
            self.fail(violation.of(&intent.key.1));
        }
    }

    fn was_spoiled(&self, key: &Key) -> bool {
        let shared = self.lock();
        let mut history = shared.server.history.get(key).into_iter().flatten();
        history.any(|stored| {
            let content = stored.content.as_ref();
            content.is_some_and(|content| content.values().any(is_spoiled))
        })
    }

    /// A write was committed.
    fn written(&mut self, client: usize, intent: &Intent<'_>, queued: bool) {
        let before = self.clients[client].seen.clone();
        self.observe(client, Some(&intent.key), &[]);
        self.forget_merge(client, &intent.key);
        let now = &self.clients[client].seen;
        let edit = intent.edit.as_ref();
        if let Some(violation) = wrote_both(&before, now, &intent.key, edit, queued) {
            let name = self.clients[client].name();
            return self.fail(violation.of(name));
        }
        if intent.edit.is_some()
            && let Some(violation) = local::written(&before, now, &intent.key, &intent.local)
        {
            let name = self.clients[client].name();
            return self.fail(violation.of(name));
        }
        let writer = Some(self.clients[client].number);
        if before.is_unclaimed(&intent.key) {
            // What it was made of is nobody's word, so that nothing is concluded from its end.
            self.lock()
                .counters
                .count("edit of a row that nobody sends");
            self.ledger.loosen(&intent.key);
        }
        let row = before.live(&intent.key);
        match (&intent.edit, row) {
            _ if !queued => {}
            (Some(edit), row) => {
                self.ledger
                    .wrote(intent.table, &intent.key, writer, row, edit);
            }
            (None, Some(row)) => self.ledger.deleted(intent.table, &intent.key, writer, row),
            (None, None) => {}
        }
    }

    pub(crate) fn die_writing(&mut self, client: usize, act: Act, awaits: u8) {
        if let Some(intent) = self.intent(client, act) {
            self.write_until(client, &intent, u32::from(awaits));
        }
        self.crash(client);
    }

    pub(crate) fn retry(&mut self, client: usize) {
        let Ok(engine) = self.clients[client].engine().cloned() else {
            return;
        };
        let mut retrying: BoxFuture<'static, _> =
            Box::pin(async move { engine.outbox().retry_all().await });
        for _ in 0..ENDLESS {
            if (&mut retrying).now_or_never().is_some() {
                break;
            }
            self.poll(client);
        }
        self.observe(client, None, &[]);
    }

    /// The user takes back what the server does not want.
    pub(crate) fn apologise(&mut self) {
        for (number, key) in std::mem::take(&mut self.offended) {
            let client = usize::from(number);
            let Some(table) = self.table_of(&key) else {
                continue;
            };
            let Some(row) = self.row(client, &key) else {
                continue;
            };
            let offends = |name: &String| {
                row.get(name)
                    .and_then(Value::as_str)
                    .is_some_and(|text| text.starts_with(OFFENSIVE))
            };
            let name = self.clients[client].name();
            let mut edit = JsonMap::new();
            for column in table.fields.iter().filter(|column| offends(&column.0)) {
                let value = self.values.edited(name, column, None, false);
                edit.insert(column.0.clone(), value);
            }
            if !edit.is_empty() {
                let edit = Some(edit);
                let local = JsonMap::new();
                let intent = Intent {
                    table,
                    key,
                    edit,
                    local,
                };
                self.write(client, &intent);
            }
        }
    }
}

/// The row is no more what the user saw when the write began.
fn is_overtaken(error: &SyncError) -> bool {
    matches!(
        error,
        SyncError::NotFound { .. } | SyncError::AlreadyExists { .. }
    )
}
