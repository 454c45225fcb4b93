//! Errors of the drivers, told in the words of the seam.

use std::path::Path;

use sync_core::store::{StoreError, StoreErrorKind};

/// Names the file in a failure that has to do with the file, unless it is named already.
pub(crate) fn in_file(path: &Path, error: StoreError) -> StoreError {
    let concerns_the_file = matches!(
        error.kind(),
        StoreErrorKind::Open
            | StoreErrorKind::Busy
            | StoreErrorKind::Full
            | StoreErrorKind::ReadOnly
            | StoreErrorKind::Io
            | StoreErrorKind::Corrupt
    );
    let path = path.display().to_string();
    if concerns_the_file && !error.to_string().contains(&path) {
        error.concerning(path)
    } else {
        error
    }
}

/// SQLite's primary result codes that mean something to a caller.
const BUSY: i32 = 5;
const LOCKED: i32 = 6;
const READONLY: i32 = 8;
const IOERR: i32 = 10;
const CORRUPT: i32 = 11;
const FULL: i32 = 13;
const CANTOPEN: i32 = 14;
const TOOBIG: i32 = 18;
const CONSTRAINT: i32 = 19;
const MISMATCH: i32 = 20;
const NOTADB: i32 = 26;

/// Says what was being done when a driver failed.
pub(crate) trait Context<T> {
    /// `what` completes the sentence "cannot …".
    fn context(self, what: &str) -> Result<T, StoreError>;
}

impl<T> Context<T> for Result<T, rusqlite::Error> {
    fn context(self, what: &str) -> Result<T, StoreError> {
        self.map_err(|error| {
            let kind = kind_of(code_of_rusqlite(&error));
            StoreError::new(kind, sentence(what, &error, kind)).with_source(error)
        })
    }
}

impl<T> Context<T> for Result<T, sqlx::Error> {
    fn context(self, what: &str) -> Result<T, StoreError> {
        self.map_err(|error| {
            let kind = kind_of(code_of_sqlx(&error));
            StoreError::new(kind, sentence(what, &error, kind)).with_source(error)
        })
    }
}

fn sentence(what: &str, error: &dyn std::error::Error, kind: StoreErrorKind) -> String {
    let advice = match kind {
        StoreErrorKind::Busy => "; try again when the other program is done",
        StoreErrorKind::Full => "; free some space",
        StoreErrorKind::ReadOnly => {
            "; let this program write the file, those beside it (-wal, -shm) and the folder, or begin a writing transaction"
        }
        StoreErrorKind::Io => {
            "; check that the disk works and has space, and that files may grow so large"
        }
        StoreErrorKind::Corrupt => "; restore the file from a backup",
        StoreErrorKind::Open => "; check that the folder exists and may be written",
        _ => "",
    };
    format!("cannot {what}: {error}{advice}")
}

fn kind_of(code: Option<i32>) -> StoreErrorKind {
    match code {
        Some(BUSY | LOCKED) => StoreErrorKind::Busy,
        Some(FULL) => StoreErrorKind::Full,
        Some(READONLY) => StoreErrorKind::ReadOnly,
        Some(IOERR) => StoreErrorKind::Io,
        Some(CORRUPT | NOTADB) => StoreErrorKind::Corrupt,
        Some(CONSTRAINT | MISMATCH) => StoreErrorKind::Constraint,
        Some(CANTOPEN) => StoreErrorKind::Open,
        _ => StoreErrorKind::Other,
    }
}

fn code_of_rusqlite(error: &rusqlite::Error) -> Option<i32> {
    error.sqlite_error().map(|error| error.extended_code & 0xff)
}

fn code_of_sqlx(error: &sqlx::Error) -> Option<i32> {
    let code = error.as_database_error()?.code()?;
    code.parse::<i32>().ok().map(|code| code & 0xff)
}

/// Is somebody else in the way, so that trying again makes sense?
pub(crate) fn is_busy(error: &rusqlite::Error) -> bool {
    matches!(code_of_rusqlite(error), Some(BUSY | LOCKED))
}

/// The same question about an error of `sqlx`.
pub(crate) fn is_sqlx_busy(error: &sqlx::Error) -> bool {
    matches!(code_of_sqlx(error), Some(BUSY | LOCKED))
}

/// Why the table refused a row, if that is what the error says.
pub(crate) fn refusal(error: &rusqlite::Error) -> Option<String> {
    match code_of_rusqlite(error) {
        Some(CONSTRAINT | MISMATCH | TOOBIG) => Some(error.to_string()),
        _ => None,
    }
}

/// Something in the library's own tables is not what it should be.
pub(crate) fn corrupt(
    what: &str,
    error: impl Into<Box<dyn std::error::Error + Send + Sync>>,
) -> StoreError {
    StoreError::new(
        StoreErrorKind::Corrupt,
        format!("cannot read {what}: its content is not what this library wrote; restore the file from a backup"),
    )
    .with_source(error)
}
