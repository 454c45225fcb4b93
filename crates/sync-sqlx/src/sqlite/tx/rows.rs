//! The user's rows: records in, records out.

use std::collections::BTreeSet;

use rusqlite::types::{ToSqlOutput, ValueRef};
use rusqlite::{CachedStatement, Connection, ToSql};
use sync_core::store::{
    PutReport, Rejected, Removal, RowOrigin, RowWrite, StoreError, StoreErrorKind,
};
use sync_core::{EntityId, Record};

use super::shape::{Shaped, shape};
use super::versions;
use crate::codec::Cell;
use crate::error::{Context, corrupt, refusal};
use crate::sqlite::table::{OnConflict, Table, quoted};

impl ToSql for Cell<'_> {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(match self {
            Cell::Null => ToSqlOutput::Borrowed(ValueRef::Null),
            Cell::Integer(integer) => ToSqlOutput::Borrowed(ValueRef::Integer(*integer)),
            Cell::Real(real) => ToSqlOutput::Borrowed(ValueRef::Real(*real)),
            Cell::Text(text) => ToSqlOutput::Borrowed(ValueRef::Text(text.as_bytes())),
            Cell::Blob(bytes) => ToSqlOutput::Borrowed(ValueRef::Blob(bytes)),
        })
    }
}

/// Statements that write rows of one table.
struct Writer<'c> {
    db: &'c Connection,
    table: &'c Table,
    upsert: CachedStatement<'c>,
    version: Option<CachedStatement<'c>>,
    /// May this kind have fields beside the table, so that old ones must be cleared?
    has_rest: bool,
}

/// What became of one row.
enum Outcome {
    Written,
    Nothing,
    Refused(String),
}

impl<'c> Writer<'c> {
    fn new(db: &'c Connection, table: &'c Table) -> rusqlite::Result<Self> {
        Ok(Self {
            db,
            table,
            upsert: db.prepare_cached(&table.upsert)?,
            version: None,
            has_rest: has_rest(db, table)?,
        })
    }

    /// Writes one row; an error that is a refusal may leave a trace, for a savepoint to remove.
    fn write(&mut self, row: &RowWrite) -> rusqlite::Result<Outcome> {
        let from_server = matches!(row.origin, RowOrigin::Server { .. });
        let shaped = match shape(self.table, &row.record, from_server) {
            Ok(shaped) => shaped,
            Err(reason) => return Ok(Outcome::Refused(reason)),
        };
        match &shaped.given {
            None => run(&mut self.upsert, self.table, &shaped)?,
            Some(given) => {
                let sql = self.table.write(given, OnConflict::Update);
                run(&mut self.db.prepare_cached(&sql)?, self.table, &shaped)?
            }
        };
        self.write_rest(&shaped)?;
        if let RowOrigin::Server {
            version,
            generation,
        } = &row.origin
        {
            let statement = match &mut self.version {
                Some(statement) => statement,
                empty => empty.insert(self.db.prepare_cached(versions::UPSERT)?),
            };
            versions::upsert(
                statement,
                &self.table.schema.kind,
                &shaped.id,
                version.as_ref(),
                *generation,
            )?;
        }
        Ok(Outcome::Written)
    }

    fn write_rest(&mut self, shaped: &Shaped<'_>) -> rusqlite::Result<()> {
        let (kind, id) = (self.table.schema.kind.as_str(), shaped.id.as_str());
        let has_column = self.table.schema.extra_column.is_some();
        if let Some(rest) = shaped.rest.as_ref().filter(|_| !has_column) {
            self.has_rest = true;
            let sql = "INSERT INTO sync_extra (kind, entity_id, fields) VALUES (?1, ?2, ?3) \
                       ON CONFLICT (kind, entity_id) DO UPDATE SET fields = excluded.fields";
            self.db.prepare_cached(sql)?.execute([kind, id, rest])?;
        } else if self.has_rest {
            forget_rest(self.db, kind, id)?;
        }
        Ok(())
    }
}

fn run(
    statement: &mut CachedStatement<'_>,
    table: &Table,
    shaped: &Shaped<'_>,
) -> rusqlite::Result<usize> {
    for (at, cell) in shaped.cells.iter().enumerate() {
        statement.raw_bind_parameter(at + 1, cell)?;
    }
    if table.schema.extra_column.is_some() {
        statement.raw_bind_parameter(shaped.cells.len() + 1, &shaped.rest)?;
    }
    statement.raw_execute()
}

fn has_rest(db: &Connection, table: &Table) -> rusqlite::Result<bool> {
    db.prepare_cached("SELECT EXISTS (SELECT 1 FROM sync_extra WHERE kind = ?1)")?
        .query_row([table.schema.kind.as_str()], |row| row.get(0))
}

fn forget_rest(db: &Connection, kind: &str, id: &str) -> rusqlite::Result<()> {
    db.prepare_cached("DELETE FROM sync_extra WHERE kind = ?1 AND entity_id = ?2")?
        .execute([kind, id])?;
    Ok(())
}

/// Writes the rows at these places.
pub(crate) fn put(
    db: &Connection,
    table: &Table,
    rows: &[RowWrite],
    places: &[usize],
    report: &mut PutReport,
) -> Result<(), StoreError> {
    let mut writer = Writer::new(db, table).context("write rows")?;
    one_by_one_if_refused(db, rows, places, report, |row| writer.write(row)).context("write rows")
}

/// Removes the rows at these places.
pub(crate) fn remove(
    db: &Connection,
    table: &Table,
    removals: &[Removal],
    places: &[usize],
    report: &mut PutReport,
) -> Result<(), StoreError> {
    let what = "remove rows";
    let kind = &table.schema.kind;
    let mut delete = db.prepare_cached(&table.delete).context(what)?;
    one_by_one_if_refused(db, removals, places, report, |removal| {
        let was_there = delete.execute([removal.id.as_str()])? > 0;
        forget_rest(db, kind.as_str(), removal.id.as_str())?;
        versions::removed(db, kind, &removal.id, removal.tombstone.as_ref())?;
        Ok(if was_there {
            Outcome::Written
        } else {
            Outcome::Nothing
        })
    })
    .context(what)
}

/// Does the same with every item; what the table refuses leaves no trace.
///
/// A refused statement undoes itself, and costs nothing when none is refused. Only a trigger can
/// refuse what it leaves half done (`RAISE(FAIL)`): where there are triggers, each item runs in a
/// savepoint of its own once one of them was refused.
fn one_by_one_if_refused<T>(
    db: &Connection,
    items: &[T],
    places: &[usize],
    report: &mut PutReport,
    mut work: impl FnMut(&T) -> rusqlite::Result<Outcome>,
) -> rusqlite::Result<()> {
    if !has_triggers(db)? {
        for &place in places {
            let outcome = work(&items[place]).or_else(|error| refused(db, error))?;
            count(report, place, outcome);
        }
        return Ok(());
    }
    let before = report.clone();
    run_cached(db, "SAVEPOINT sync_slice")?;
    for &place in places {
        match work(&items[place]) {
            Ok(outcome) => count(report, place, outcome),
            Err(error) if refusal(&error).is_some() && !db.is_autocommit() => {
                *report = before;
                run_cached(db, "ROLLBACK TO sync_slice")?;
                for &place in places {
                    let outcome = alone(db, || work(&items[place]))?;
                    count(report, place, outcome);
                }
                break;
            }
            Err(error) => return Err(error),
        }
    }
    run_cached(db, "RELEASE sync_slice")
}

fn has_triggers(db: &Connection) -> rusqlite::Result<bool> {
    db.prepare_cached(
        "SELECT EXISTS (SELECT 1 FROM sqlite_schema WHERE type = 'trigger') \
         OR EXISTS (SELECT 1 FROM sqlite_temp_schema WHERE type = 'trigger')",
    )?
    .query_row([], |row| row.get(0))
}

fn count(report: &mut PutReport, index: usize, outcome: Outcome) {
    match outcome {
        Outcome::Written => report.written += 1,
        Outcome::Nothing => {}
        Outcome::Refused(reason) => report.rejected.push(Rejected { index, reason }),
    }
}

fn alone(
    db: &Connection,
    work: impl FnOnce() -> rusqlite::Result<Outcome>,
) -> rusqlite::Result<Outcome> {
    run_cached(db, "SAVEPOINT sync_row")?;
    let outcome = work().or_else(|error| -> rusqlite::Result<Outcome> {
        let outcome = refused(db, error)?;
        run_cached(db, "ROLLBACK TO sync_row")?;
        Ok(outcome)
    })?;
    run_cached(db, "RELEASE sync_row")?;
    Ok(outcome)
}

/// A refusal as an outcome. A constraint or a trigger may have rolled back everything; then there
/// is nothing to go on with.
fn refused(db: &Connection, error: rusqlite::Error) -> rusqlite::Result<Outcome> {
    match refusal(&error) {
        Some(reason) if !db.is_autocommit() => Ok(Outcome::Refused(reason)),
        _ => Err(error),
    }
}

fn run_cached(db: &Connection, sql: &str) -> rusqlite::Result<()> {
    db.prepare_cached(sql)?.execute([])?;
    Ok(())
}

/// Which of these ids the column of this field holds somewhere: one statement, whatever indexes the
/// table has.
pub(crate) fn referred_to(
    db: &Connection,
    table: &Table,
    field: &str,
    ids: &[EntityId],
) -> Result<Vec<EntityId>, StoreError> {
    let what = "find rows that refer to others";
    let column = table.schema.synced().find(|column| column.field == field);
    let (Some(column), false) = (column, ids.is_empty()) else {
        return Ok(Vec::new());
    };
    let (column, name) = (quoted(&column.name), quoted(&table.schema.table));
    let sql = format!(
        "SELECT DISTINCT CAST({column} AS TEXT) FROM {name} \
         WHERE {column} IN (SELECT value FROM json_each(?1))"
    );
    let wanted = serde_json::to_string(ids).map_err(|error| corrupt("ids", error))?;
    let held: BTreeSet<String> = db
        .prepare_cached(&sql)
        .and_then(|mut statement| statement.query_map([wanted], |row| row.get(0))?.collect())
        .context(what)?;
    let held = versions::distinct(ids).filter(|id| held.contains(id.as_str()));
    Ok(held.cloned().collect())
}

/// Inserts a row that must not exist yet.
pub(crate) fn insert(db: &Connection, table: &Table, record: &Record) -> Result<bool, StoreError> {
    let refused = |reason: String| {
        StoreError::new(
            StoreErrorKind::Constraint,
            format!("table `{}` refuses the row: {reason}", table.schema.table),
        )
    };
    let shaped = shape(table, record, false).map_err(refused)?;
    let given = shaped.given.as_deref().unwrap_or(&table.synced);
    let sql = table.write(given, OnConflict::Nothing);
    let work = || -> rusqlite::Result<bool> {
        let inserted = run(&mut db.prepare_cached(&sql)?, table, &shaped)? > 0;
        if inserted {
            Writer::new(db, table)?.write_rest(&shaped)?;
        }
        Ok(inserted)
    };
    work().context("insert a row")
}
