//! Two processes on one file: the other one is this test binary, started again.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use futures::{StreamExt, future};
use sync_core::store::Store;
use sync_core::{SyncEngine, SyncEvent, TxMode};
use sync_sqlx::SqliteStore;
use sync_testkit::{MockServer, Route};
use tempfile::TempDir;
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};

use crate::files::{LEASE, beats, create, open};

/// Names of what the other process is told.
const FILE: &str = "LEASE_TEST_FILE";
const URL: &str = "LEASE_TEST_URL";
/// Begins what the other process tells.
const TELLS: &str = "the other process: ";

/// Not a test: what the other process does. It syncs once, and tells how it gets on.
#[tokio::test]
async fn the_other_process() {
    let (Ok(file), Ok(url)) = (std::env::var(FILE), std::env::var(URL)) else {
        return;
    };
    let (_, engine) = open(Path::new(&file), &url).await;
    let mut events = engine.events();
    let telling = async {
        while let Some(event) = events.next().await {
            if matches!(event, SyncEvent::SyncWaiting) {
                println!("\n{TELLS}waits");
            }
        }
    };
    tokio::select! {
        report = engine.sync() => println!("\n{TELLS}done, {} wait", report.unwrap().pending),
        () = telling => {}
    }
}

/// The other process; it dies with this.
struct Other {
    child: Child,
    lines: UnboundedReceiver<String>,
}

impl Other {
    fn start(file: &Path, url: &str) -> Self {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "processes::the_other_process", "--nocapture"])
            .env(FILE, file)
            .env(URL, url)
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let (sender, lines) = unbounded_channel();
        let output = BufReader::new(child.stdout.take().unwrap());
        std::thread::spawn(move || {
            for line in output.lines().map_while(Result::ok) {
                if let Some((_, told)) = line.split_once(TELLS) {
                    let _ = sender.send(told.to_owned());
                }
            }
        });
        Self { child, lines }
    }

    async fn tells(&mut self, what: &str) {
        assert_eq!(self.lines.recv().await.as_deref(), Some(what));
    }

    fn signal(&self, name: &str) {
        let id = self.child.id().to_string();
        let sent = Command::new("kill").args([name, &id]).status().unwrap();
        assert!(sent.success());
    }

    /// A signal is sent before it is heard.
    fn has_stopped(&self) -> bool {
        let id = self.child.id().to_string();
        let state = Command::new("ps")
            .args(["-o", "state=", "-p", &id])
            .output();
        state.unwrap().stdout.starts_with(b"T")
    }

    /// Stops it, but not in the middle of a transaction, in which it would keep everybody out.
    async fn stop(&self, file: &Path) {
        let probe = SqliteStore::builder(file).busy_timeout(Duration::from_millis(20));
        let probe = probe.open().await.unwrap();
        loop {
            self.signal("-STOP");
            while !self.has_stopped() {
                tokio::task::yield_now().await;
            }
            if Store::begin(&probe, TxMode::Write).await.is_ok() {
                return;
            }
            self.signal("-CONT");
        }
    }
}

impl Drop for Other {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A server, a file with notes in it that wait, and an engine of this process.
struct Bench {
    server: MockServer,
    store: SqliteStore,
    engine: SyncEngine,
    folder: TempDir,
}

impl Bench {
    async fn new() -> Self {
        let server = MockServer::start().await.unwrap();
        let folder = tempfile::tempdir().unwrap();
        let (store, engine) = open(&folder.path().join("app.db"), &server.url()).await;
        for id in ["a", "b", "c"] {
            create(&engine, id).await;
        }
        Self {
            server,
            store,
            engine,
            folder,
        }
    }

    fn other(&self) -> Other {
        Other::start(&self.file(), &self.server.url())
    }

    fn file(&self) -> std::path::PathBuf {
        self.folder.path().join("app.db")
    }

    /// Everything in the file but the note of the lease, as text.
    async fn content(&self) -> Vec<String> {
        let mut all = Vec::new();
        for table in [
            "notes",
            "sync_outbox",
            "sync_shadow",
            "sync_versions",
            "sync_cursors",
        ] {
            let columns: Vec<String> = sqlx::query_scalar("SELECT name FROM pragma_table_info(?)")
                .bind(table)
                .fetch_all(self.store.pool())
                .await
                .unwrap();
            let columns = columns.join(", ");
            let sql = format!("SELECT json_array({columns}) FROM {table} ORDER BY 1");
            let rows: Vec<String> = sqlx::query_scalar(sqlx::AssertSqlSafe(sql))
                .fetch_all(self.store.pool())
                .await
                .unwrap();
            all.extend(rows.into_iter().map(|row| format!("{table}: {row}")));
        }
        all
    }

    fn assert_once(&self) {
        let notes = self.server.all("notes");
        // `z` is another app's.
        for id in notes.keys().filter(|id| *id != "z") {
            assert_eq!(self.server.applied_to("notes", id), 1, "{id}");
        }
    }
}

#[tokio::test]
async fn two_processes_on_one_file_take_turns() {
    let bench = Bench::new().await;
    let gate = bench.server.hold(Route::Push);
    let mut other = bench.other();
    gate.arrived().await;
    create(&bench.engine, "d").await;
    let mut events = bench.engine.events();
    let waits = async {
        while !matches!(events.next().await, Some(SyncEvent::SyncWaiting)) {}
        // Longer than the lease's duration.
        beats(&bench.store, 6).await;
        assert_eq!(gate.count(), 1, "nobody else sends");
        gate.release();
    };
    let (report, ()) = future::join(bench.engine.sync(), waits).await;
    let report = report.unwrap();
    assert_eq!((report.stats.pushed, report.pending), (1, 0));
    other.tells("done, 1 wait").await;
    assert_eq!(bench.server.pushes().len(), 4);
    bench.assert_once();
}

#[tokio::test]
async fn a_process_that_is_killed_is_taken_over() {
    let bench = Bench::new().await;
    let gate = bench.server.hold_answer(Route::Push);
    let other = bench.other();
    gate.arrived().await;
    drop(other);
    gate.release();
    let died = std::time::Instant::now();
    let report = bench.engine.sync().await.unwrap();
    assert!(died.elapsed() >= LEASE, "{:?}", died.elapsed());
    assert_eq!((report.stats.pushed, report.pending), (3, 0));
    bench.assert_once();
}

#[tokio::test]
async fn a_process_that_was_stopped_harms_nothing_when_it_goes_on() {
    let bench = Bench::new().await;
    let arrives = bench.server.hold_answer(Route::Push);
    let mut other = bench.other();
    arrives.arrived().await;
    other.stop(&bench.file()).await;
    arrives.release();
    // This one takes over, settles everything, and is in the middle of its next run.
    let report = bench.engine.sync().await.unwrap();
    assert_eq!((report.stats.pushed, report.pending), (3, 0));
    create(&bench.engine, "d").await;
    let news = serde_json::json!({"text": "news"});
    bench.server.update("notes", "z", news);
    let gate = bench.server.hold(Route::Any);
    let next = async {
        gate.arrived().await;
        let (before, sent) = (bench.content().await, bench.server.pushes().len());
        other.signal("-CONT");
        // It has an answer to settle, and two operations to send that it thinks still wait.
        other.tells("waits").await;
        assert_eq!(bench.content().await, before);
        assert_eq!(bench.server.pushes().len(), sent, "nothing left it");
        gate.release();
    };
    let (report, ()) = future::join(bench.engine.sync(), next).await;
    assert_eq!(report.unwrap().pending, 0);
    other.tells("done, 0 wait").await;
    bench.assert_once();
    assert_eq!(bench.server.all("notes").len(), 5);
}
