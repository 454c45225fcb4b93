//! A file that nobody can read without its key (feature `sqlcipher`).

#![expect(
    clippy::unwrap_used,
    reason = "the lints spare tests, but not the helpers beside them"
)]

use std::error::Error;
use std::io::{self, Write};
use std::path::PathBuf;
use std::sync::{Arc, Mutex};

use sync_core::store::{Store, StoreError, StoreErrorKind, TxMode};
use sync_sqlx::SqliteStore;
use tempfile::TempDir;

const KEY: &str = "it's s3cr3t";
const CONTENT: &str = "dear diary of mine";

struct Device {
    folder: TempDir,
}

impl Device {
    /// A closed file with a table and a row in it.
    async fn new(key: Option<&str>) -> Self {
        let device = Self {
            folder: tempfile::tempdir().unwrap(),
        };
        let store = device.open(key).await.unwrap();
        store.prepare(&[]).await.unwrap();
        sqlx::raw_sql("CREATE TABLE diary (text TEXT)")
            .execute(store.pool())
            .await
            .unwrap();
        sqlx::query("INSERT INTO diary VALUES (?1)")
            .bind(CONTENT)
            .execute(store.pool())
            .await
            .unwrap();
        store.close().await.unwrap();
        device
    }

    fn path(&self) -> PathBuf {
        self.folder.path().join("app.db")
    }

    async fn open(&self, key: Option<&str>) -> Result<SqliteStore, StoreError> {
        let builder = SqliteStore::builder(self.path());
        match key {
            Some(key) => builder.key(key).open().await,
            None => builder.open().await,
        }
    }

    async fn text(&self, key: Option<&str>) -> String {
        let store = self.open(key).await.unwrap();
        // a connection that reads, beside the one that writes and those of the pool
        drop(Store::begin(&store, TxMode::Read).await.unwrap());
        let text = sqlx::query_scalar("SELECT text FROM diary")
            .fetch_one(store.pool())
            .await
            .unwrap();
        store.close().await.unwrap();
        text
    }
}

fn with_causes(error: &dyn Error) -> String {
    let mut text = format!("{error} {error:?}");
    let mut source = error.source();
    while let Some(cause) = source {
        text += &format!(" {cause} {cause:?}");
        source = cause.source();
    }
    text
}

#[tokio::test]
async fn an_encrypted_file_is_noise_and_opens_with_its_key() {
    let device = Device::new(Some(KEY)).await;
    let bytes = std::fs::read(device.path()).unwrap();
    assert!(!bytes.starts_with(b"SQLite format 3"));
    let content = CONTENT.as_bytes();
    assert!(!bytes.windows(content.len()).any(|part| part == content));
    assert_eq!(device.text(Some(KEY)).await, CONTENT);
}

#[tokio::test]
async fn the_log_of_an_open_encrypted_file_is_noise_too() {
    let device = Device::new(Some(KEY)).await;
    let store = device.open(Some(KEY)).await.unwrap();
    sqlx::query("INSERT INTO diary VALUES (?1)")
        .bind(CONTENT)
        .execute(store.pool())
        .await
        .unwrap();
    let bytes = std::fs::read(device.folder.path().join("app.db-wal")).unwrap();
    let content = CONTENT.as_bytes();
    assert!(!bytes.is_empty() && !bytes.windows(content.len()).any(|part| part == content));
    store.close().await.unwrap();
}

#[tokio::test]
async fn a_wrong_key_is_told_as_such() {
    let encrypted = Device::new(Some(KEY)).await;
    let plain = Device::new(None).await;
    for (device, key) in [
        (&encrypted, "guessed"),
        (&encrypted, "it''s s3cr3t"),
        (&plain, KEY),
    ] {
        let error = device.open(Some(key)).await.unwrap_err();
        assert_eq!(error.kind(), StoreErrorKind::Open);
        let text = error.to_string();
        assert!(
            text.contains("key is wrong") && text.contains("app.db"),
            "{text}"
        );
    }
    let error = encrypted.open(None).await.unwrap_err();
    assert_eq!(error.kind(), StoreErrorKind::Corrupt);
    for key in ["", "a\0b"] {
        assert!(encrypted.open(Some(key)).await.is_err(), "{key:?}");
    }
    assert_eq!(encrypted.text(Some(KEY)).await, CONTENT);
    assert_eq!(plain.text(None).await, CONTENT);
}

#[tokio::test]
async fn a_raw_key_needs_no_derivation() {
    let raw = format!("x'{}'", "5a".repeat(32));
    let device = Device::new(Some(&raw)).await;
    assert_eq!(device.text(Some(&raw)).await, CONTENT);
    assert!(device.open(Some(&"5a".repeat(32))).await.is_err());
}

#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl Write for Log {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().write(bytes)
    }
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[tokio::test]
async fn the_key_is_in_no_log_no_debug_output_and_no_error() {
    let log = Log::default();
    let writer = log.clone();
    let subscriber = tracing_subscriber::fmt()
        .with_max_level(tracing_subscriber::filter::LevelFilter::TRACE)
        .with_writer(move || writer.clone())
        .finish();
    // The drivers' threads are not this one.
    tracing::subscriber::set_global_default(subscriber).unwrap();
    let device = Device::new(Some(KEY)).await;
    let mut shown = device.text(Some(KEY)).await;
    let builder = SqliteStore::builder(device.path()).key(KEY);
    shown += &format!("{builder:?}");
    let store = builder.open().await.unwrap();
    shown += &format!("{store:?}");
    store.close().await.unwrap();
    shown += &with_causes(&device.open(Some("s3cr3t too")).await.unwrap_err());
    shown += &String::from_utf8(log.0.lock().unwrap().clone()).unwrap();
    assert!(!shown.contains("s3cr3t"), "{shown}");
}
