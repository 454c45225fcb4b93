//! The database file itself: whom it belongs to, and with which key it is read.

use std::fs::OpenOptions;
use std::path::{Path, PathBuf};

#[cfg(feature = "sqlcipher")]
pub(super) use key::{Key, check_cipher, explain};

/// After so many links the system gives up too.
const MOST_LINKS: u32 = 40;

/// Creates a file that does not exist yet so that nobody but its owner may read it; SQLite gives its
/// journals the same permissions. A file that exists keeps its own: they are somebody's decision.
///
/// What fails here is left for SQLite to fail at, and to tell.
pub(super) fn create_private(path: &Path) {
    if path.as_os_str().is_empty() || path == Path::new(":memory:") {
        return;
    }
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let _ = options.open(end_of_links(path));
}

/// Where a link leads that leads to nothing yet: SQLite would create a file there.
fn end_of_links(path: &Path) -> PathBuf {
    let mut end = path.to_owned();
    for _ in 0..MOST_LINKS {
        match end.read_link() {
            Ok(next) => end = end.parent().unwrap_or(Path::new("")).join(next),
            Err(_) => break,
        }
    }
    end
}

#[cfg(feature = "sqlcipher")]
mod key {
    use std::fmt;
    use std::path::Path;

    use rusqlite::OptionalExtension;
    use sqlx::ConnectOptions;
    use sqlx::sqlite::SqliteConnectOptions;
    use sync_core::store::{StoreError, StoreErrorKind};

    use crate::error::Context;
    use crate::sqlite::handle::Owned;

    /// The key of an encrypted file. `Debug` does not show it.
    #[derive(Clone)]
    pub(in crate::sqlite) struct Key(String);

    impl fmt::Debug for Key {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("Key(…)")
        }
    }

    impl Key {
        pub(in crate::sqlite) fn new(passphrase: String) -> Self {
            Self(passphrase)
        }

        /// Refuses what SQLite would read only in part, or as no key at all.
        pub(in crate::sqlite) fn check(&self) -> Result<(), StoreError> {
            if self.0.is_empty() || self.0.contains('\0') {
                let message = "cannot open the database: its key is empty or has a NUL character";
                return Err(StoreError::new(StoreErrorKind::Open, message.to_owned()));
            }
            Ok(())
        }

        /// The options with the key as the first thing that each connection says. Their statements
        /// are not logged: this one is among them.
        pub(in crate::sqlite) fn set(&self, options: SqliteConnectOptions) -> SqliteConnectOptions {
            let quoted = format!("'{}'", self.0.replace('\'', "''"));
            options.pragma("key", quoted).disable_statement_logging()
        }
    }

    /// Plain SQLite takes a key without a word, and encrypts nothing.
    pub(in crate::sqlite) fn check_cipher(connection: &Owned) -> Result<(), StoreError> {
        let version = connection.db().map(|db| {
            db.query_row("PRAGMA cipher_version", [], |row| row.get::<_, String>(0))
                .optional()
        });
        match version.transpose().context("ask for the cipher")? {
            Some(Some(_)) => Ok(()),
            _ => {
                let message = "cannot encrypt the database: this program was linked with plain SQLite, not with SQLCipher";
                Err(StoreError::new(StoreErrorKind::Open, message.to_owned()))
            }
        }
    }

    /// What does not decrypt is no database to SQLite.
    pub(in crate::sqlite) fn explain(error: StoreError, path: &Path) -> StoreError {
        if error.kind() != StoreErrorKind::Corrupt {
            return error;
        }
        let message = format!(
            "cannot open the database {}: the key is wrong, or the file is not encrypted; open it with the key that it was created with",
            path.display()
        );
        StoreError::new(StoreErrorKind::Open, message).with_source(error)
    }
}
