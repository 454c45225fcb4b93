//! A store whose file nobody can read without its key: `cargo run -p sync-sqlx --features sqlcipher
//! --example encrypted`.
//!
//! The key here comes from the environment; an app takes it from the system's key chain.

use std::error::Error;

use sync_sqlx::SqliteStore;

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let key =
        std::env::var("APP_KEY").unwrap_or_else(|_| "correct horse battery staple".to_owned());
    let folder = tempfile::tempdir()?;
    let path = folder.path().join("app.db");

    // The first opening creates the file with this key, every later one needs it.
    let store = SqliteStore::builder(&path).key(&key).open().await?;
    sqlx::raw_sql("CREATE TABLE diary (id TEXT PRIMARY KEY, text TEXT); INSERT INTO diary VALUES ('1', 'dear diary')")
        .execute(store.pool())
        .await?;
    store.close().await?;

    let bytes = std::fs::read(&path)?;
    let is_readable = bytes.windows(10).any(|part| part == b"dear diary");
    println!(
        "the file has {} bytes; readable in it: {is_readable}",
        bytes.len()
    );

    match SqliteStore::builder(&path).key("guessed").open().await {
        Ok(_) => return Err("a wrong key opened the file".into()),
        Err(error) => println!("with a wrong key: {error}"),
    }

    let store = SqliteStore::builder(&path).key(&key).open().await?;
    let text: String = sqlx::query_scalar("SELECT text FROM diary")
        .fetch_one(store.pool())
        .await?;
    println!("with the key: {text}");
    store.close().await?;
    Ok(())
}
