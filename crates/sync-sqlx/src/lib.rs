//! SQLite storage for [`sync_core`]: the user's own tables, read and written with plain `sqlx`.
//!
//! [`SqliteStore`] keeps what it needs in tables of its own, all named `sync_…`, in the same file, so
//! that an app's row and the operation that will carry it to the server are one transaction.
//!
//! ```no_run
//! use sync_core::store::{Store, StoreTx, TxMode};
//! use sync_sqlx::SqliteStore;
//!
//! # async fn example(tables: Vec<sync_core::TableSchema>) -> Result<(), Box<dyn std::error::Error>> {
//! let store = SqliteStore::open("app.db").await?;
//! sqlx::query("CREATE TABLE IF NOT EXISTS todos (id TEXT PRIMARY KEY, title TEXT NOT NULL)")
//!     .execute(store.pool())
//!     .await?;
//! store.prepare(&tables).await?;
//! # Ok(())
//! # }
//! ```
//!
//! A new file is readable for its owner alone. The feature `sqlcipher` encrypts it, with
//! `SqliteStoreBuilder::key`.
//!
//! Only one version of the native SQLite library fits into a program: this crate uses the one that
//! `sqlx` links.

mod codec;
mod error;
mod json;
pub mod sqlite;

pub use sqlite::{SqliteStore, SqliteStoreBuilder, SqliteTx, Synchronous};
