//! A store that keeps everything in one JSON file, written anew with each commit.
//!
//! It is written to be read beside `docs/writing-a-store.md`, and keeps the whole contract. Its
//! limits: everything is in memory too, a commit costs as much as there is data, it blocks the
//! thread while the file is written, and one process at a time may have the file open.

mod accept;
mod outbox;
mod rows;
mod state;
mod tx;
mod work;

use std::collections::BTreeMap;
use std::fmt;
use std::fs::File;
use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use sync_core::store::{ChangeHub, ChangeStream, Store, StoreTx, TxMode};
use sync_core::{Kind, StoreError, StoreErrorKind, TableSchema};
use tokio::sync::Mutex as Turn;

use state::State;
use work::FileTx;

/// A [`Store`] in one JSON file.
///
/// ```
/// # use examples::file_store::FileStore;
/// # fn example() -> Result<(), sync_core::StoreError> {
/// let store = FileStore::open("app.json")?;
/// # Ok(())
/// # }
/// ```
pub struct FileStore {
    shared: Arc<Shared>,
}

type Schemas = BTreeMap<Kind, TableSchema>;

struct Shared {
    path: PathBuf,
    /// Locked as long as the store is open: a second process would overwrite the first one's file.
    _lock: File,
    committed: Mutex<Arc<State>>,
    schemas: Mutex<Schemas>,
    /// Held by the writing transaction; tokio's mutex lets those who wait in one after another.
    turn: Arc<Turn<()>>,
    hub: ChangeHub,
}

impl FileStore {
    /// Opens the file, or begins a new one.
    ///
    /// # Errors
    /// [`StoreErrorKind::Open`] if the file cannot be read or another process has it open,
    /// [`StoreErrorKind::Corrupt`] if it is not what this store writes.
    pub fn open(path: impl AsRef<Path>) -> Result<Self, StoreError> {
        let path = path.as_ref().to_path_buf();
        let lock = lock_file(&path)?;
        let state = match std::fs::read(&path) {
            Ok(text) => serde_json::from_slice(&text).map_err(|error| {
                let message = format!("{} is not a file of this store", path.display());
                StoreError::new(StoreErrorKind::Corrupt, message).with_source(error)
            })?,
            Err(error) if error.kind() == ErrorKind::NotFound => State::default(),
            Err(error) => return Err(failed(StoreErrorKind::Open, "cannot be read", &path, error)),
        };
        let shared = Shared {
            path,
            _lock: lock,
            committed: Mutex::new(Arc::new(state)),
            schemas: Mutex::default(),
            turn: Arc::default(),
            hub: ChangeHub::default(),
        };
        Ok(Self {
            shared: Arc::new(shared),
        })
    }
}

#[async_trait]
impl Store for FileStore {
    async fn prepare(&self, tables: &[TableSchema]) -> Result<(), StoreError> {
        accept::check_schemas(tables)?;
        let mut schemas = lock(&self.shared.schemas);
        schemas.extend(
            tables
                .iter()
                .map(|table| (table.kind.clone(), table.clone())),
        );
        Ok(())
    }

    async fn begin(&self, mode: TxMode) -> Result<Box<dyn StoreTx>, StoreError> {
        let turn = match mode {
            TxMode::Read => None,
            // `Write` may promise less than `Durable`; here both are on disk.
            _ => Some(Arc::clone(&self.shared.turn).lock_owned().await),
        };
        Ok(Box::new(FileTx::new(Arc::clone(&self.shared), turn)))
    }

    fn changes(&self) -> ChangeStream {
        self.shared.hub.subscribe()
    }
}

impl Shared {
    fn committed(&self) -> Arc<State> {
        Arc::clone(&lock(&self.committed))
    }

    /// Puts a state on disk, then in place of the present one. There is no await in here, so
    /// nobody can drop it in the middle.
    fn commit(&self, state: Arc<State>) -> Result<(), StoreError> {
        let cannot = |error| {
            failed(
                StoreErrorKind::Other,
                "cannot be written",
                &self.path,
                error,
            )
        };
        self.write_file(&state).map_err(cannot)?;
        *lock(&self.committed) = state;
        Ok(())
    }

    /// Writes a file beside the old one and renames it: a crash leaves the old or the new one.
    fn write_file(&self, state: &State) -> std::io::Result<()> {
        let fresh = beside(&self.path, "new");
        let mut file = File::create(&fresh)?;
        file.write_all(&serde_json::to_vec(state)?)?;
        // Before the rename, or a power cut leaves the new name on an empty file.
        file.sync_all()?;
        std::fs::rename(&fresh, &self.path)?;
        sync_folder(&self.path)
    }
}

/// The rename itself is on disk when the folder is.
#[cfg(unix)]
fn sync_folder(path: &Path) -> std::io::Result<()> {
    let folder = path
        .parent()
        .filter(|folder| !folder.as_os_str().is_empty());
    File::open(folder.unwrap_or(Path::new(".")))?.sync_all()
}

/// Elsewhere a folder cannot be opened as a file.
#[cfg(not(unix))]
fn sync_folder(_path: &Path) -> std::io::Result<()> {
    Ok(())
}

fn lock_file(path: &Path) -> Result<File, StoreError> {
    let path = beside(path, "lock");
    let cannot = |error| failed(StoreErrorKind::Open, "cannot be made", &path, error);
    let file = File::create(&path).map_err(cannot)?;
    file.try_lock().map_err(|error| {
        let message = "another process has the store open";
        StoreError::new(StoreErrorKind::Open, message).with_source(error)
    })?;
    Ok(file)
}

/// A file whose name is longer by an ending.
fn beside(path: &Path, ending: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".");
    name.push(ending);
    PathBuf::from(name)
}

/// A full disk has a kind of its own: the app can tell its user.
fn failed(kind: StoreErrorKind, what: &str, path: &Path, error: std::io::Error) -> StoreError {
    let kind = match error.kind() {
        ErrorKind::StorageFull => StoreErrorKind::Full,
        _ => kind,
    };
    StoreError::new(kind, format!("{} {what}", path.display())).with_source(error)
}

/// No code panics while it holds one of these locks, so a poisoned one is still consistent.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl fmt::Debug for FileStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FileStore")
            .field("path", &self.shared.path)
            .finish_non_exhaustive()
    }
}
