//! Opening connections.

use std::time::Duration;

use sqlx::ConnectOptions;
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection};
use sync_core::store::{StoreError, StoreErrorKind};

use super::handle::Owned;
use super::writer::Patience;
use crate::error::{Context, is_sqlx_busy};

/// Opens a connection of the store's own. A fresh file that several programs open at once is busy
/// for a moment, while one of them sets it up.
pub(crate) async fn connect(
    options: &SqliteConnectOptions,
    patience: &Patience,
) -> Result<Owned, StoreError> {
    let options = options
        .clone()
        .busy_timeout(Duration::ZERO)
        .disable_statement_logging();
    let connection = retry(&options, patience).await.map_err(|error| {
        // A failed open is told as such whatever SQLite called it; never print the options, they
        // may hold a key.
        let what = format!("open the database {}", options.get_filename().display());
        let told = Err::<(), _>(error).context(&what).err();
        match told {
            Some(error) if error.kind() != StoreErrorKind::Other => error,
            Some(error) => {
                StoreError::new(StoreErrorKind::Open, error.to_string()).with_source(error)
            }
            None => StoreError::new(StoreErrorKind::Open, format!("cannot {what}")),
        }
    })?;
    Owned::new(connection).await
}

async fn retry(
    options: &SqliteConnectOptions,
    patience: &Patience,
) -> sqlx::Result<SqliteConnection> {
    let start = patience.env.monotonic();
    loop {
        match options.connect().await {
            Err(error) if is_sqlx_busy(&error) => {
                if patience.env.monotonic().saturating_sub(start) >= patience.limit {
                    return Err(error);
                }
                patience.env.sleep(Duration::from_millis(5)).await;
            }
            done => return done,
        }
    }
}

/// What kind of database a connection found.
pub(crate) struct Nature {
    /// Is there a file, so that other connections see the same data?
    pub(crate) in_file: bool,
    /// Do readers and writers work side by side?
    pub(crate) wal: bool,
}

/// Looks at the database behind a connection.
pub(crate) async fn nature(
    connection: &mut Owned,
    patience: &Patience,
) -> Result<Nature, StoreError> {
    patience
        .retry(|| look(connection))
        .await
        .context("look at the database")
}

fn look(connection: &mut Owned) -> rusqlite::Result<Nature> {
    let Some(db) = connection.db() else {
        return Err(rusqlite::Error::QueryReturnedNoRows);
    };
    let sql = "SELECT file FROM pragma_database_list WHERE name = 'main'";
    let file: Option<String> = db.query_row(sql, [], |row| row.get(0))?;
    let mode: String = db.query_row("PRAGMA journal_mode", [], |row| row.get(0))?;
    Ok(Nature {
        in_file: file.is_some_and(|file| !file.is_empty()),
        wal: mode.eq_ignore_ascii_case("wal"),
    })
}
