//! SQLite storage for [`sync_core`]: the user's own tables, read and written with plain `sqlx`.
//!
//! [`SqliteStore`] keeps what it needs in tables of its own, all named `sync_…`, in the same file, so
//! that an app's row and the operation that will carry it to the server are one transaction.
//!
//! ```no_run
//! use sync_core::{SyncEngine, SyncEntity};
//! use sync_sqlx::SqliteStore;
//!
//! # async fn example<Todo: SyncEntity>(transport: impl sync_core::Transport) -> Result<(), Box<dyn std::error::Error>> {
//! let store = SqliteStore::open("app.db").await?;
//! store.create_table::<Todo>().await?; // or a migration of the app
//! let engine = SyncEngine::builder(store.clone(), transport).table::<Todo>().build().await?;
//!
//! let open: i64 = sqlx::query_scalar("SELECT count(*) FROM todos WHERE NOT done")
//!     .fetch_one(store.pool())
//!     .await?;
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
