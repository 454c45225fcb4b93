//! The raw arm: what the work costs with SQLite and nothing else.

use std::borrow::Cow;
use std::path::Path;
use std::time::Instant;

use rusqlite::{Connection, params};
use serde::Deserialize;
use serde_json::value::RawValue;
use sync_core::SyncEntity;

use crate::data::{Task, task};
use crate::measure::{Latencies, Measured};
use crate::{PAGE, Result};

const UPSERT: &str = "INSERT INTO task(id,title,notes,done,priority,tags,updated_at) \
     VALUES(?1,?2,?3,?4,?5,?6,?7) ON CONFLICT(id) DO UPDATE SET title=excluded.title, \
     notes=excluded.notes, done=excluded.done, priority=excluded.priority, tags=excluded.tags, \
     updated_at=excluded.updated_at";

#[derive(Debug, Deserialize)]
struct Row<'a> {
    #[serde(borrow)]
    id: Cow<'a, str>,
    #[serde(borrow)]
    title: Cow<'a, str>,
    #[serde(borrow)]
    notes: Cow<'a, str>,
    done: bool,
    priority: i64,
    #[serde(borrow)]
    tags: &'a RawValue,
    #[serde(borrow)]
    updated_at: Cow<'a, str>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Page<'a> {
    #[serde(borrow)]
    items: Vec<Row<'a>>,
    next_page_token: Option<String>,
}

fn open(path: &Path) -> Result<Connection> {
    let db = Connection::open(path)?;
    db.execute_batch("PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL;")?;
    db.execute_batch(&Task::create_table_sql())?;
    db.execute_batch(
        "CREATE TABLE outbox(seq INTEGER PRIMARY KEY AUTOINCREMENT, row_id TEXT NOT NULL, \
             op TEXT NOT NULL, body TEXT NOT NULL);
         CREATE INDEX outbox_row ON outbox(row_id);
         CREATE TABLE cursor(entity TEXT PRIMARY KEY, token TEXT NOT NULL);",
    )?;
    Ok(db)
}

/// W1: pull everything, one transaction and one request after the other for each page.
pub(crate) async fn pull(url: &str, path: &Path) -> Result<Measured> {
    let mut db = open(path)?;
    let client = reqwest::Client::builder()
        .tcp_nodelay(true)
        .no_proxy()
        .build()?;
    let started = Instant::now();
    let mut token: Option<String> = None;
    let mut rows = 0;
    loop {
        let mut query = vec![("limit", PAGE.to_string())];
        query.extend(token.take().map(|token| ("pageToken", token)));
        let url = format!("{url}/task");
        let body = client.get(url).query(&query).send().await?.bytes().await?;
        let page: Page<'_> = serde_json::from_slice(&body)?;
        rows += page.items.len() as u64;
        let next = page.next_page_token.clone();
        apply(&mut db, &page, next.as_deref().unwrap_or(""))?;
        match next {
            Some(next) => token = Some(next),
            None => break,
        }
    }
    Ok(Measured::rows(rows, started.elapsed()))
}

fn apply(db: &mut Connection, page: &Page<'_>, token: &str) -> Result<()> {
    let tx = db.transaction()?;
    {
        let mut upsert = tx.prepare_cached(UPSERT)?;
        for row in &page.items {
            upsert.execute(params![
                row.id,
                row.title,
                row.notes,
                row.done,
                row.priority,
                row.tags.get(),
                row.updated_at
            ])?;
        }
        tx.prepare_cached(
            "INSERT INTO cursor VALUES('task',?1) ON CONFLICT(entity) DO UPDATE SET token=excluded.token",
        )?
        .execute([token])?;
    }
    Ok(tx.commit()?)
}

/// W3: one row and its outbox entry in each transaction.
pub(crate) fn write(path: &Path, count: u64) -> Result<Latencies> {
    insert(&mut open(path)?, count)
}

/// The same with every commit on the disk.
pub(crate) fn write_synced(path: &Path, count: u64) -> Result<Measured> {
    let mut db = open(path)?;
    db.execute_batch("PRAGMA synchronous=FULL")?;
    let started = Instant::now();
    insert(&mut db, count)?;
    Ok(Measured::rows(count, started.elapsed()))
}

fn insert(db: &mut Connection, count: u64) -> Result<Latencies> {
    let mut latencies = Latencies::default();
    for number in 0..count {
        let row = task(number);
        let started = Instant::now();
        let tags = serde_json::to_string(&row.tags)?;
        let body = serde_json::to_string(&row)?;
        let tx = db.transaction()?;
        tx.prepare_cached(UPSERT)?.execute(params![
            row.id,
            row.title,
            row.notes,
            row.done,
            row.priority,
            tags,
            row.updated_at
        ])?;
        tx.prepare_cached("INSERT INTO outbox(row_id,op,body) VALUES(?1,?2,?3)")?
            .execute(params![row.id, "put", body])?;
        tx.commit()?;
        latencies.add(started.elapsed());
    }
    Ok(latencies)
}
