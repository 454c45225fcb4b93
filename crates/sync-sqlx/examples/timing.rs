//! How long a local write and a bulk load take, against plain rusqlite doing the least that could
//! be called the same: `cargo run --release -p sync-sqlx --example timing`.

use std::error::Error;
use std::path::Path;
use std::time::{Duration, Instant};

use rusqlite::{Connection, params};
use serde_json::json;
use sync_core::store::{OpQuery, RowWrite, Store, TxMode};
use sync_core::{
    Change, Column, ColumnType, EntityId, Kind, Op, OpId, Record, ServerState, Shadow, TableSchema,
    Timestamp, Version,
};
use sync_sqlx::SqliteStore;

const TABLE: &str =
    "CREATE TABLE IF NOT EXISTS todos (id TEXT NOT NULL PRIMARY KEY, title TEXT NOT NULL,
    notes TEXT, done INTEGER NOT NULL, priority INTEGER NOT NULL, tags TEXT, updated_at TEXT)";
const ROUNDS: u32 = 5_000;
const BULK: u32 = 100_000;
const PAGE: usize = 500;

#[tokio::main(flavor = "multi_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let folder = tempfile::tempdir()?;
    for round in 0..3 {
        let path = |name: &str| folder.path().join(format!("{name}{round}.db"));
        report("raw rusqlite: row + outbox", raw_writes(&path("raw"))?);
        let store = open(&path("store")).await?;
        report("store: local write", local_writes(&store).await?);
        store.close().await?;
        for pages_per_tx in [1, 10] {
            let store = open(&path(&format!("bulk{pages_per_tx}-"))).await?;
            let (time, written) = (bulk(&store, pages_per_tx).await?, f64::from(BULK));
            println!(
                "bulk, {pages_per_tx:2} pages a transaction: {:8.0} rows/s",
                written / time.as_secs_f64()
            );
            store.close().await?;
        }
        println!(
            "bulk, raw rusqlite, 1 page:   {:8.0} rows/s",
            raw_bulk(&path("rawbulk"))?
        );
    }
    Ok(())
}

fn report(what: &str, mut times: Vec<Duration>) {
    times.sort_unstable();
    let at = |percent: usize| {
        times
            .get(times.len() * percent / 100)
            .map_or(0.0, |time| time.as_secs_f64() * 1e6)
    };
    println!(
        "{what:28} p50 {:6.1} µs  p95 {:6.1} µs  p99 {:6.1} µs",
        at(50),
        at(95),
        at(99)
    );
}

fn row(n: u32, title: &str) -> Result<Record, Box<dyn Error>> {
    // Scattered over the index like random ids.
    let id = format!(
        "{:016x}-{n:019}",
        u64::from(n).wrapping_mul(0x9E37_79B9_7F4A_7C15)
    );
    Ok(Record::try_from(json!({
        "id": id, "title": title, "notes": "n".repeat(120), "done": n.is_multiple_of(2), "priority": n % 10,
        "tags": ["home", "garden"], "updated_at": "2026-03-01T12:00:00.000001Z"
    }))?)
}

fn raw(path: &Path) -> rusqlite::Result<Connection> {
    let db = Connection::open(path)?;
    db.execute_batch("PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL")?;
    db.execute_batch(TABLE)?;
    db.execute_batch(
        "CREATE TABLE outbox (seq INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT NOT NULL, op TEXT NOT NULL, body TEXT NOT NULL);
         CREATE INDEX outbox_id ON outbox (id)",
    )?;
    Ok(db)
}

const UPSERT: &str = "INSERT INTO todos VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7) ON CONFLICT (id) DO UPDATE SET \
    title = excluded.title, notes = excluded.notes, done = excluded.done, priority = excluded.priority, \
    tags = excluded.tags, updated_at = excluded.updated_at";

fn raw_upsert(db: &Connection, row: &Record) -> rusqlite::Result<()> {
    let text = |field: &str| {
        row.get(field)
            .and_then(|value| value.as_str())
            .unwrap_or_default()
    };
    let number = |field: &str| row.get(field).and_then(serde_json::Value::as_i64);
    let done = row.get("done").and_then(serde_json::Value::as_bool);
    let tags = row.get("tags").map(ToString::to_string);
    db.prepare_cached(UPSERT)?.execute(params![
        text("id"),
        text("title"),
        text("notes"),
        done,
        number("priority"),
        tags,
        text("updated_at")
    ])?;
    Ok(())
}

fn raw_writes(path: &Path) -> Result<Vec<Duration>, Box<dyn Error>> {
    let db = raw(path)?;
    for n in 0..ROUNDS {
        raw_upsert(&db, &row(n, "before")?)?;
    }
    let mut times = Vec::new();
    for n in 0..ROUNDS {
        let row = row(n, "after")?;
        let start = Instant::now();
        db.prepare_cached("BEGIN IMMEDIATE")?.execute([])?;
        raw_upsert(&db, &row)?;
        let body = serde_json::to_string(&row)?;
        db.prepare_cached("INSERT INTO outbox (id, op, body) VALUES (?1, 'upsert', ?2)")?
            .execute(params![row.id()?.as_str(), body])?;
        db.prepare_cached("COMMIT")?.execute([])?;
        times.push(start.elapsed());
    }
    Ok(times)
}

fn raw_bulk(path: &Path) -> Result<f64, Box<dyn Error>> {
    let db = raw(path)?;
    let rows = (0..BULK)
        .map(|n| row(n, "pulled"))
        .collect::<Result<Vec<_>, _>>()?;
    let start = Instant::now();
    for page in rows.chunks(PAGE) {
        db.prepare_cached("BEGIN IMMEDIATE")?.execute([])?;
        for row in page {
            raw_upsert(&db, row)?;
        }
        db.prepare_cached("COMMIT")?.execute([])?;
    }
    Ok(f64::from(BULK) / start.elapsed().as_secs_f64())
}

async fn open(path: &Path) -> Result<SqliteStore, Box<dyn Error>> {
    let store = SqliteStore::open(path).await?;
    sqlx::query(TABLE).execute(store.pool()).await?;
    let schema = TableSchema::new(kind()?, "todos", "id")
        .column(Column::new("id", ColumnType::Text))
        .column(Column::new("title", ColumnType::Text))
        .column(Column::new("notes", ColumnType::Text).nullable())
        .column(Column::new("done", ColumnType::Boolean))
        .column(Column::new("priority", ColumnType::Integer))
        .column(Column::new("tags", ColumnType::Json).nullable())
        .column(Column::new("updated_at", ColumnType::Timestamp).nullable());
    store.prepare(&[schema]).await?;
    Ok(store)
}

fn kind() -> Result<Kind, Box<dyn Error>> {
    Ok(Kind::new("todos")?)
}

/// What the engine does when a user saves a row that the server knows.
async fn local_writes(store: &SqliteStore) -> Result<Vec<Duration>, Box<dyn Error>> {
    let kind = kind()?;
    for n in 0..ROUNDS {
        let mut tx = Store::begin(store, TxMode::Write).await?;
        let row = row(n, "before")?;
        let version = Version::new(row.stamp()?);
        tx.put(&kind, &[RowWrite::server(row, Some(version), 1)])
            .await?;
        tx.commit().await?;
    }
    let mut times = Vec::new();
    for n in 0..ROUNDS {
        let row = row(n, "after")?;
        let ids: [EntityId; 1] = [row.id()?];
        let op_id = OpId::new(format!("0190a5a0-0000-7000-8000-{n:012}"))?;
        let at = Timestamp::parse("2026-03-01T12:00:00.000001Z")?;
        let start = Instant::now();
        let mut tx = Store::begin(store, TxMode::Write).await?;
        let before = tx.get(&kind, &ids).await?.pop().unwrap_or_default();
        tx.ops(&OpQuery::of(&kind, &ids)).await?;
        let [id] = ids;
        tx.put(&kind, &[RowWrite::local(row.clone())]).await?;
        let change = Change::Upsert {
            payload: row,
            changed: None,
        };
        tx.append_ops(&[Op::new(op_id, kind.clone(), id.clone(), change, at)])
            .await?;
        let base = ServerState::Live {
            version: before.stamp().ok().map(Version::new),
            record: before,
        };
        tx.put_shadows(&[Shadow {
            kind: kind.clone(),
            entity_id: id,
            base,
            parked: None,
            schema_version: 1,
        }])
        .await?;
        tx.commit().await?;
        times.push(start.elapsed());
    }
    Ok(times)
}

async fn bulk(store: &SqliteStore, pages_per_tx: usize) -> Result<Duration, Box<dyn Error>> {
    let kind = kind()?;
    let rows = (0..BULK)
        .map(|n| {
            let row = row(n, "pulled")?;
            let version = Version::new(row.stamp()?);
            Ok(RowWrite::server(row, Some(version), 1))
        })
        .collect::<Result<Vec<_>, Box<dyn Error>>>()?;
    let start = Instant::now();
    for pages in rows.chunks(PAGE * pages_per_tx) {
        let mut tx = Store::begin(store, TxMode::Write).await?;
        for page in pages.chunks(PAGE) {
            tx.put(&kind, page).await?;
        }
        tx.commit().await?;
    }
    Ok(start.elapsed())
}
