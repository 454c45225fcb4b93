//! Tables that have rows before the first engine is built on them (semantics 5, 7): the app says
//! whether they are its user's or came from the server.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};
use sync_core::json::JsonMap;
use sync_core::store::{RowWrite, Store, TxMode};
use sync_core::{Change, ExistingRows, Kind, MemoryStore, Op, Record, StoreError, TableSchema};

use super::check::Violation;
use super::client::OWNER;
use super::schedule::Setup;
use super::seen::{Seen, now, same_content};
use super::server::Key;
use super::tables::SimTable;
use super::updates;
use super::world::World;

/// The first tables, so many, may have rows.
const TABLES: u8 = 2;
/// So many rows of each.
const ROWS: u8 = 5;

/// Rows that the built-in tables `things` and `notes` have before the first engine is built.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Existing {
    /// They are the user's and are to be created on the server; otherwise they came from there.
    pub adopted: bool,
    /// Which rows of which clients, as bits: five rows of each table, table after table, client
    /// after client.
    pub rows: u64,
    /// Which of those that came from the server it still has, likewise.
    pub on_server: u64,
    /// The first process dies after so many awaits of opening.
    pub dies_after: Option<u8>,
}

impl Existing {
    pub(super) fn to_core(self) -> ExistingRows {
        if self.adopted {
            ExistingRows::Adopt
        } else {
            ExistingRows::ServerOwned
        }
    }
}

/// Lets one world in six begin with rows. It is drawn apart, so that the others stay what they are.
pub(super) fn draw(seed: u64, setup: &mut Setup) {
    let mut rng = fastrand::Rng::with_seed(seed.rotate_left(11) ^ 0x6164_6f70);
    if rng.u32(..6) == 0 {
        setup.existing = Some(Existing {
            adopted: rng.bool(),
            rows: rng.u64(..) & rng.u64(..),
            on_server: rng.u64(..) | rng.u64(..),
            dies_after: rng.bool().then(|| rng.u8(1..40)),
        });
    }
}

impl Seen {
    /// Is the row one of which neither the server nor the outbox ever heard?
    pub(super) fn is_unclaimed(&self, key: &Key) -> bool {
        self.rows.contains_key(key) && !self.versions.contains_key(key) && self.is_settled(key)
    }
}

impl World<'_> {
    /// Puts rows into the clients' tables, as an app did before it had an engine.
    pub(super) fn bring_rows(&mut self, existing: Existing) {
        for client in 0..self.setup.clients {
            let one = &self.clients[usize::from(client)];
            let schemas = self.tables.iter().map(|table| {
                if one.is_old() {
                    updates::old_schema(table)
                } else {
                    table.schema.clone()
                }
            });
            let schemas: Vec<TableSchema> = schemas.collect();
            if let Err(error) = now(one.store.memory.prepare(&schemas)) {
                unreachable!("a store in memory takes tables: {error}");
            }
            for place in 0..TABLES {
                for row in 0..self.setup.rows.min(ROWS) {
                    let bit = (client * TABLES + place) * ROWS + row;
                    if (existing.rows >> bit) & 1 == 1 {
                        let on_server = (existing.on_server >> bit) & 1 == 1;
                        self.bring_row(client, (place, row), existing.adopted, on_server);
                    }
                }
            }
        }
    }

    fn bring_row(&mut self, number: u8, (place, row): (u8, u8), adopted: bool, on_server: bool) {
        let Some((table, key)) = self.place(place, row) else {
            return;
        };
        if !table.is_built_in {
            return;
        }
        let client = usize::from(number);
        let is_old = self.clients[client].is_old();
        let mut content = if !adopted && on_server {
            self.copied_from_server((place, row), &key)
        } else {
            let name = self.clients[client].name();
            self.edit_of(name, table, None, 0b1101, false)
        };
        if is_old {
            updates::restrict(&key.0, &mut content);
        }
        if adopted {
            self.ledger.wrote(table, &key, Some(number), None, &content);
        } else {
            self.unclaimed.insert(key.clone());
        }
        content.insert("id".to_owned(), key.1.as_str().into());
        if is_old {
            updates::to_old(&key.0, &mut content);
        }
        let class = if adopted {
            "row adopted"
        } else {
            "row of the server's"
        };
        self.lock().counters.count(class);
        let store = &self.clients[client].store.memory;
        if let Err(error) = put(store, &key.0, content) {
            unreachable!("a store in memory takes a row: {error}");
        }
    }

    /// A record of the server's, which may go on there.
    fn copied_from_server(&mut self, (place, row): (u8, u8), key: &Key) -> JsonMap {
        let present = self.lock().server.content(key);
        if present.is_none() {
            self.server_write(place, row, 0b1101, false);
        }
        let content = self.lock().server.content(key).unwrap_or_default();
        if self.values.next_number().is_multiple_of(2) {
            self.server_write(place, row, 0b110, false);
        }
        content
    }

    /// The first process on a table that may have rows; judges what becomes of them.
    pub(super) fn open_first(&mut self, client: usize, existing: Existing) {
        let of_table = Seen::of(&self.clients[client].store.memory, &self.keys, self.tables);
        match of_table {
            Ok(seen) => self.clients[client].seen = seen,
            Err(error) => self.fail(Violation::new("I10", error.to_string())),
        }
        if let Some(awaits) = existing.dies_after {
            self.die_opening(client, OWNER, awaits);
            self.observe(client, None, &[]);
        }
        self.start(client);
        let one = &self.clients[client];
        let found = judge(&one.seen, existing.adopted);
        let name = one.name();
        for violation in found {
            self.fail(violation.of(name));
        }
    }
}

fn put(store: &MemoryStore, kind: &Kind, content: JsonMap) -> Result<(), StoreError> {
    let mut tx = now(store.begin(TxMode::Write))?;
    now(tx.put(kind, &[RowWrite::local(Record::new(content))]))?;
    now(tx.commit())
}

/// I1: each adopted row is in the outbox, whole; of the server's none is.
fn judge(seen: &Seen, adopted: bool) -> Vec<Violation> {
    let creates = |row: &JsonMap, op: &Op| match &op.written {
        Change::Upsert { payload, .. } => same_content(payload.fields(), row),
        Change::Delete => false,
    };
    let rows = seen.rows.iter();
    let wrong = rows.filter(|(key, row)| match seen.ops_of(key) {
        [] => adopted,
        [op] => !(adopted && creates(row.fields(), op)),
        _ => true,
    });
    wrong
        .map(|(key, _)| {
            let ops = seen.ops_of(key);
            let text = format!("of a row that was there before (adopted: {adopted}) {ops:?} wait");
            Violation::new("I1", text).of(&key.1)
        })
        .collect()
}

/// I3: a row of which the server never heard changes by nobody but its user.
pub(super) fn kept(
    unclaimed: &BTreeSet<Key>,
    before: &Seen,
    now: &Seen,
    written: Option<&Key>,
) -> Vec<Violation> {
    let others = unclaimed.iter().filter(|key| written != Some(*key));
    let both = others.filter(|key| before.is_unclaimed(key));
    let lost = both.filter(|key| match now.rows.get(*key) {
        None => !now.versions.contains_key(*key),
        Some(row) => {
            let was = before.rows.get(*key);
            now.is_unclaimed(key)
                && !was.is_some_and(|was| same_content(was.fields(), row.fields()))
        }
    });
    lost.map(|key| {
        let (was, is) = (before.rows.get(key), now.rows.get(key));
        let text = format!("a row that nobody sends changed from {was:?} to {is:?}");
        Violation::new("I3", text).of(&key.1)
    })
    .collect()
}

impl SimTable {
    /// Whose the rows are that the table may have had before.
    pub(super) fn existing_rows(&self, setup: &Setup) -> Option<ExistingRows> {
        let existing = setup.existing.filter(|_| self.is_built_in);
        existing
            .map(Existing::to_core)
            .or(self.config.existing_rows)
    }
}
