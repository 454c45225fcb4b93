//! What other apps and its keepers do on the server.

use serde_json::{Value, json};
use sync_core::json::JsonMap;

use super::schedule::ServerAct;
use super::world::World;

/// What a spoiled value begins with.
const SPOILED: &str = "spoiled";

impl World<'_> {
    pub(crate) fn server_act(&mut self, act: ServerAct) {
        match act {
            ServerAct::Write {
                table,
                row,
                field,
                commits_late,
            } => self.server_write(table, row, 1 << (field % 16), commits_late),
            ServerAct::Delete { table, row } => {
                let Some((table, key)) = self.place(table, row) else {
                    return;
                };
                let content = self.lock().server.content(&key);
                if let Some(content) = content {
                    self.ledger.deleted(table, &key, None, &content);
                    self.lock().server.write(&key, None, false);
                }
            }
            ServerAct::Spoil { table, row } => self.spoil(table, row),
            ServerAct::Extend { table, row } => self.extend(table, row),
            ServerAct::ExpireCursors => {
                let kinds: Vec<_> = self
                    .tables
                    .iter()
                    .map(|table| table.kind().clone())
                    .collect();
                let clients = self.setup.clients;
                self.lock().server.expire_cursors(clients, &kinds);
            }
            ServerAct::Backup => self.lock().server.back_up(),
            ServerAct::Restore => {
                let restored = self.lock().server.restore();
                if restored {
                    let taken_back = self.lock().server.taken_back.clone();
                    for key in taken_back {
                        self.ledger.loosen(&key);
                    }
                    self.note_waiting();
                }
            }
        }
    }

    pub(super) fn server_write(&mut self, table: u8, row: u8, fields: u16, commits_late: bool) {
        let Some((table, key)) = self.place(table, row) else {
            return;
        };
        let before = self.lock().server.content(&key);
        let edit = self.edit_of('S', table, before.as_ref(), fields, false);
        self.ledger.wrote(table, &key, None, before.as_ref(), &edit);
        let mut content = before.unwrap_or_default();
        content.extend(edit);
        if self.setup.habits.trims {
            super::server::trim(&mut content);
        }
        self.lock().server.write(&key, Some(content), commits_late);
    }

    /// Writes a field that no client knows.
    fn extend(&mut self, table: u8, row: u8) {
        let Some((table, key)) = self.place(table, row) else {
            return;
        };
        let Some(field) = table.unknown.first() else {
            return;
        };
        let Some(mut content) = self.lock().server.content(&key) else {
            return;
        };
        let value = self.values.edited('S', field, None, false);
        let mut edit = JsonMap::from_iter([(field.0.clone(), value)]);
        if self.setup.habits.trims {
            super::server::trim(&mut edit);
        }
        self.ledger.wrote(table, &key, None, Some(&content), &edit);
        content.extend(edit);
        let mut shared = self.lock();
        shared.counters.count("other app writes an unknown field");
        shared.server.write(&key, Some(content), false);
    }

    /// Puts a text where the clients' tables hold a number.
    fn spoil(&mut self, table: u8, row: u8) {
        let Some((table, key)) = self.place(table, row) else {
            return;
        };
        let is_number = |column: &&(String, _, _)| column.2 == sync_core::ColumnType::Integer;
        let Some(column) = table.fields.iter().find(is_number) else {
            return;
        };
        let Some(mut content) = self.lock().server.content(&key) else {
            return;
        };
        let number = self.values.next_number();
        let edit = JsonMap::from_iter([(column.0.clone(), json!(format!("{SPOILED} {number}")))]);
        self.ledger.wrote(table, &key, None, Some(&content), &edit);
        content.extend(edit);
        self.spoiled.insert(key.clone());
        self.lock().server.write(&key, Some(content), false);
    }

    /// Puts numbers back where they belong.
    pub(crate) fn mend(&mut self) {
        for key in std::mem::take(&mut self.spoiled) {
            let Some(table) = self.table_of(&key) else {
                continue;
            };
            let is_number = |column: &&(String, _, _)| column.2 == sync_core::ColumnType::Integer;
            let Some(mut content) = self.lock().server.content(&key) else {
                continue;
            };
            for column in table.fields.iter().filter(is_number) {
                if content.get(&column.0).is_some_and(Value::is_string) {
                    let value = self.values.edited('S', column, None, false);
                    let edit = JsonMap::from_iter([(column.0.clone(), value)]);
                    self.ledger.wrote(table, &key, None, Some(&content), &edit);
                    content.extend(edit);
                }
            }
            self.lock().server.write(&key, Some(content), false);
        }
    }
}

/// A text where the tables hold a number.
pub(super) fn is_spoiled(value: &Value) -> bool {
    value.as_str().is_some_and(|text| text.starts_with(SPOILED))
}
