//! Tokens and contents of records are in no log, no error and no `Debug` output, whatever happens.
//!
//! Everything that says anything in this process is captured, at the most talkative level.

#![expect(
    clippy::unwrap_used,
    reason = "the lints spare tests, but not the helpers beside them"
)]

use std::error::Error;
use std::fmt::Debug;
use std::io::{self, Write};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Duration;

use futures::{FutureExt, StreamExt};
use serde_json::{Value, json};
use sync_core::store::{ConflictEntry, OpQuery, QuarantineEntry};
use sync_core::transport::{
    FetchRequest, PullPage, PullRequest, PushChange, PushOp, PushOutcome, PushRequest, PushResult,
    UnreadableItem, WakeupStream,
};
use sync_core::{
    Change, Column, ColumnType, ConflictStrategy, EntityId, EntityWriter, Kind, Op, OpId,
    Precondition, Record, Resolution, ServerState, Shadow, SyncConfig, SyncEngine, SyncEntity,
    TableConfig, TableSchema, Timestamp, Transport, Verdict, preserving_merge, resolve_fn,
};
use sync_rest::{KindRoute, RestTransport, StaticToken, Token};
use sync_sqlx::SqliteStore;
use sync_testkit::{FakeEnv, Fault, MockServer, Route};

/// In every token, key and value of these tests, and in nothing else.
const SECRET: &str = "s3cr3t";

fn secret(what: &str) -> String {
    format!("{what}-{SECRET}")
}

#[derive(Clone, Default)]
struct Said(Arc<Mutex<Vec<u8>>>);

impl Said {
    /// All that is said in this process, from the first call on.
    fn everything() -> &'static Self {
        static SAID: OnceLock<Said> = OnceLock::new();
        SAID.get_or_init(|| {
            let said = Self::default();
            let writer = said.clone();
            tracing_subscriber::fmt()
                .with_max_level(tracing_subscriber::filter::LevelFilter::TRACE)
                .with_span_events(tracing_subscriber::fmt::format::FmtSpan::FULL)
                .with_writer(move || writer.clone())
                .init();
            let panics = said.clone();
            std::panic::set_hook(Box::new(move |panic| panics.debug(&panic.to_string())));
            said
        })
    }

    fn debug(&self, value: &dyn Debug) {
        let mut bytes = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        writeln!(bytes, "{value:?} {value:#?}").unwrap();
    }

    fn error(&self, error: &dyn Error) {
        let mut cause = Some(error);
        while let Some(error) = cause {
            self.debug(&(error.to_string(), error));
            cause = error.source();
        }
    }

    fn text(&self) -> String {
        let bytes = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        String::from_utf8_lossy(&bytes).into_owned()
    }

    #[track_caller]
    fn holds_no_secret(&self) {
        let text = self.text();
        let leaks: Vec<&str> = text.lines().filter(|line| line.contains(SECRET)).collect();
        assert!(
            leaks.is_empty(),
            "{} lines, the first:\n{:.2000}",
            leaks.len(),
            leaks[0]
        );
    }
}

impl Write for Said {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .write(bytes)
    }
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[derive(Debug, Clone, serde::Serialize, serde::Deserialize)]
struct Note {
    id: String,
    title: String,
    mood: Option<i64>,
    updated_at: Option<String>,
    deleted_at: Option<String>,
}

impl SyncEntity for Note {
    const KIND: &'static str = "notes";
    const TABLE: &'static str = "notes";

    fn schema() -> Result<TableSchema, sync_core::InvalidId> {
        let text = |name: &str| Column::new(name, ColumnType::Text);
        Ok(TableSchema::new(Kind::new(Self::KIND)?, Self::TABLE, "id")
            .column(text("id"))
            .column(text("title"))
            .column(Column::new("mood", ColumnType::Integer).nullable())
            .column(Column::new("updated_at", ColumnType::Timestamp).nullable())
            .column(Column::new("deleted_at", ColumnType::Timestamp).nullable()))
    }

    fn create_table_sql() -> String {
        "CREATE TABLE notes (id TEXT PRIMARY KEY NOT NULL, title TEXT NOT NULL CHECK (title <> 'no'), \
         mood INTEGER, updated_at TEXT, deleted_at TEXT)"
            .to_owned()
    }

    fn entity_id(&self) -> String {
        self.id.clone()
    }
}

struct App {
    engine: SyncEngine,
    store: SqliteStore,
    world: FakeEnv,
    _folder: tempfile::TempDir,
}

/// An app that says all it can of itself.
async fn app(url: &str, table: TableConfig, batch: bool) -> App {
    let said = Said::everything();
    let folder = tempfile::tempdir().unwrap();
    let store = SqliteStore::open(folder.path().join("app.db"))
        .await
        .unwrap();
    sqlx::raw_sql(sqlx::AssertSqlSafe(Note::create_table_sql()))
        .execute(store.pool())
        .await
        .unwrap();
    let world = FakeEnv::new(7);
    world.auto_advance(Duration::from_secs(20));
    let token = StaticToken::new(Token::bearer(secret("token")).with_account("me"));
    said.debug(&token);
    let route = KindRoute::new()
        .header("X-Tenant", secret("header"))
        .query("tenant", secret("query"));
    said.debug(&route);
    let builder = RestTransport::builder(format!("{url}?key={}", secret("base")))
        .auth(token)
        .batch(batch)
        .kind("notes", route)
        .request_timeout(Duration::from_secs(5))
        .env(world.env());
    said.debug(&builder);
    let transport = builder.build().unwrap();
    said.debug(&transport);
    said.debug(&transport.capabilities());
    let builder = SyncEngine::builder(store.clone(), transport)
        .table_with::<Note>(table)
        .config(
            SyncConfig::default()
                .with_max_retries(2)
                .with_max_outbox_try_count(2),
        )
        .env(world.env());
    said.debug(&builder);
    let engine = builder.build().await.unwrap();
    said.debug(&engine);
    said.debug(&store);
    App {
        engine,
        store,
        world,
        _folder: folder,
    }
}

fn note(id: &str, what: &str) -> Note {
    Note {
        id: id.to_owned(),
        title: secret(what),
        mood: Some(1),
        updated_at: None,
        deleted_at: None,
    }
}

impl App {
    fn notes(&self) -> EntityWriter<Note> {
        self.engine.writer::<Note>().unwrap()
    }

    /// Syncs, and says all that can be seen of it.
    async fn sync(&self) {
        let said = Said::everything();
        let mut events = self.engine.events();
        match self.engine.sync().await {
            Ok(report) => said.debug(&report),
            Err(error) => said.error(&error),
        }
        while let Some(Some(event)) = events.next().now_or_never() {
            said.debug(&event);
            said.debug(&event.to_string());
        }
        said.debug(&self.engine.operations(&OpQuery::default()).await.unwrap());
        let kind = Kind::new("notes").unwrap();
        said.debug(&self.engine.quarantined(&kind, 100).await.unwrap());
        self.world.advance(Duration::from_secs(600));
    }
}

fn server_record(id: &str, what: &str) -> Value {
    json!({"id": id, "title": secret(what), "mood": 3})
}

/// What a server may say, with the contents of the request in its words.
fn faults() -> Vec<Fault> {
    let words =
        || json!({"error": secret("code"), "message": secret("words"), "title": secret("echo")});
    let mut faults: Vec<Fault> = [400, 401, 403, 404, 409, 410, 412, 413, 422, 429, 500, 503]
        .into_iter()
        .map(|status| Fault::json(status, words()))
        .collect();
    faults.extend([
        Fault::json(422, json!({"title": [secret("echo")]})),
        Fault::json(422, json!([secret("echo")])),
        Fault::json(
            409,
            json!({"current": {"id": "other", "title": secret("wrong")}}),
        ),
        Fault::json(200, words()),
        Fault::answer(200, format!("{{\"title\": \"{}", secret("cut"))),
        Fault::answer(
            200,
            format!("<html><body>{}</body></html>", secret("portal")),
        ),
        Fault::answer(500, secret("stack trace")),
        Fault::redirect(&format!(
            "http://elsewhere.invalid/?token={}",
            secret("redirect")
        )),
        Fault::redirect(&format!("http://{}@127.0.0.1:9/", secret("user"))),
        Fault::status(429).header("retry-after", secret("later")),
        Fault::status(409).header("etag", secret("tag")),
        Fault::drop_before(),
        Fault::drop_after(),
    ]);
    faults
}

#[tokio::test]
async fn runs_against_servers_that_repeat_what_they_are_sent_leak_nothing() {
    let said = Said::everything();
    for batch in [false, true] {
        for route in [Route::Push, Route::Pull, Route::Any] {
            let server = MockServer::start().await.unwrap();
            server
                .seed("notes", [server_record("n1", "seeded")])
                .unwrap();
            let app = app(&server.url(), TableConfig::new(), batch).await;
            app.sync().await;
            for (number, fault) in faults().into_iter().enumerate() {
                let id = format!("e{number}");
                app.notes()
                    .insert_and_enqueue(&note(&id, "written"))
                    .await
                    .unwrap();
                server.update(
                    "notes",
                    "n1",
                    server_record("n1", &format!("newer {number}")),
                );
                server.fault(fault).on(route.clone()).times(2);
                app.sync().await;
            }
            app.sync().await;
        }
    }
    said.holds_no_secret();
    let text = said.text();
    for said in [
        "sync_core::layers::trace",
        "sync_rest::client",
        "sqlx::query",
        "reqwest::connect",
        "hyper_util::client",
        "OperationFailed",
        "DataMerged",
        "AuthRequired",
    ] {
        assert!(text.contains(said), "{said} was not captured");
    }
}

#[tokio::test]
async fn conflicts_rows_that_do_not_fit_and_errors_leak_nothing() {
    let said = Said::everything();
    let resolver = resolve_fn(|conflict| async move {
        Said::everything().debug(&conflict);
        let mut merged = conflict.local.unwrap_or_default();
        merged
            .fields_mut()
            .insert("title".to_owned(), json!(secret("decided")));
        let resolution = Resolution::AcceptMerged(merged);
        Said::everything().debug(&resolution);
        Ok(resolution)
    });
    for table in [
        TableConfig::new(),
        TableConfig::new().strategy(ConflictStrategy::ServerWins),
        TableConfig::new().resolver(resolver),
    ] {
        said.debug(&table);
        let server = MockServer::start().await.unwrap();
        server
            .seed("notes", [server_record("n1", "seeded")])
            .unwrap();
        let app = app(&server.url(), table, false).await;
        app.sync().await;
        let mut edited = app.notes().get("n1").await.unwrap().unwrap();
        edited.title = secret("edited");
        app.notes().replace_and_enqueue(&edited).await.unwrap();
        server.update("notes", "n1", server_record("n1", "met"));
        app.sync().await;
        // A row that its table refuses, and one that is no record.
        server.update(
            "notes",
            "bad",
            json!({"title": null, "mood": secret("mood")}),
        );
        app.sync().await;
        // Errors of the app.
        let mut refused = note("n2", "x");
        refused.title = "no".to_owned();
        said.error(&app.notes().insert_and_enqueue(&refused).await.unwrap_err());
        said.error(&app.notes().insert_and_enqueue(&edited).await.unwrap_err());
        sqlx::query("UPDATE notes SET mood = ?1 WHERE id = 'n1'")
            .bind(secret("no number"))
            .execute(app.store.pool())
            .await
            .unwrap();
        said.error(&app.notes().get("n1").await.unwrap_err());
    }
    let server = MockServer::start().await.unwrap();
    let app = app(&server.url(), TableConfig::new(), false).await;
    drop(server);
    app.notes()
        .insert_and_enqueue(&note("n3", "offline"))
        .await
        .unwrap();
    app.sync().await;
    said.holds_no_secret();
}

fn record() -> Record {
    Record::try_from(json!({"id": "e1", "title": secret("title"), "deep": [{"k": secret("deep")}]}))
        .unwrap()
}

fn live() -> ServerState {
    ServerState::of(record(), None)
}

#[test]
fn requests_answers_and_what_is_stored_show_no_contents() {
    let said = Said::everything();
    let (kind, id) = (Kind::new("notes").unwrap(), EntityId::new("e1").unwrap());
    let now = Timestamp::from_unix_millis(1_700_000_000_000);
    let op_id = OpId::new("o1").unwrap();
    let change = Change::Upsert {
        payload: record(),
        changed: None,
    };
    let mut op = Op::new(
        op_id.clone(),
        kind.clone(),
        id.clone(),
        change.clone(),
        now.clone(),
    );
    op.last_error = Some(secret("words"));
    op.verdict = Some(Verdict {
        change,
        judged: None,
        recreate: false,
        unreliable: false,
    });
    said.debug(&op);
    let push = PushOp::new(
        "k".to_owned(),
        op_id.clone(),
        kind.clone(),
        id.clone(),
        PushChange::Upsert {
            record: record(),
            changed: None,
        },
        Precondition::IfAbsent,
    );
    said.debug(&PushRequest::new(vec![push]));
    said.debug(&PullRequest::new(kind.clone(), 5));
    said.debug(&FetchRequest::new(kind.clone(), id.clone()));
    let mut page = PullPage::new(vec![record().into()]);
    page.unreadable
        .push(UnreadableItem::new(None, secret("row"), "why"));
    said.debug(&page);
    for outcome in [
        PushOutcome::Accepted {
            state: Some(live()),
        },
        PushOutcome::Conflict {
            state: Some(live()),
            time: None,
        },
        PushOutcome::Gone {
            state: Some(live()),
        },
        PushOutcome::Refused {
            status: 422,
            message: secret("words"),
        },
    ] {
        said.debug(&PushResult::new("k", outcome));
    }
    said.debug(&Shadow {
        schema_version: 1,
        kind: kind.clone(),
        entity_id: id.clone(),
        base: live(),
        parked: Some(live()),
    });
    said.debug(&ConflictEntry {
        op_id,
        kind: kind.clone(),
        entity_id: id,
        server: live(),
        server_time: None,
        by_choice: false,
        reason: "why".to_owned(),
        detected_at: now.clone(),
    });
    said.debug(&QuarantineEntry {
        kind,
        key: "e1".to_owned(),
        row: record().into(),
        tag: None,
        reason: secret("reason"),
        since: now,
        cause: sync_core::store::QuarantineCause::BadRow,
        schema_version: 1,
    });
    let (local, server) = (record().into_fields(), json!({"title": secret("other")}));
    let server = server.as_object().unwrap().clone();
    said.debug(&preserving_merge(&local, &server, None, None));
    said.debug(&sync_core::store::RowWrite::local(record()));
    said.holds_no_secret();
}

#[test]
fn types_of_the_wire_show_no_contents() {
    use sync_rest::wire::{
        BatchOp, BatchOpKind, BatchRequest, BatchResponse, BatchResult, ConflictBody, PullResponse,
    };
    let said = Said::everything();
    let op = BatchOp {
        op_id: "o".to_owned(),
        kind: "notes".to_owned(),
        id: "e1".to_owned(),
        op_kind: BatchOpKind::Upsert,
        payload: Some(record().into()),
        base_updated_at: None,
        if_absent: false,
        changed_fields: None,
        force: false,
    };
    said.debug(&BatchRequest { ops: vec![op] });
    let mut result = BatchResult::new("o", 200);
    result.data = Some(record().into());
    result.error = Some(record().into());
    said.debug(&BatchResponse {
        results: vec![result],
    });
    said.debug(&ConflictBody {
        error: None,
        current: Some(record().into()),
        server_timestamp: None,
    });
    said.debug(&PullResponse {
        items: vec![record().into()],
        ..PullResponse::default()
    });
    said.holds_no_secret();
}

#[tokio::test]
async fn a_transport_alone_leaks_nothing_with_its_errors() {
    let said = Said::everything();
    let server = MockServer::start().await.unwrap();
    let token = StaticToken::new(Token::bearer(secret("token")));
    let transport = RestTransport::builder(format!("{}?key={}", server.url(), secret("base")));
    let transport = transport.auth(token).build().unwrap();
    let kind = || Kind::new("notes").unwrap();
    for _ in 0..2 {
        for fault in faults() {
            server.fault(fault);
            let pulled = transport.pull(PullRequest::new(kind(), 5)).await;
            pulled.inspect_err(|error| said.error(error)).ok();
        }
        for fault in faults() {
            server.fault(fault);
            let request = FetchRequest::new(kind(), EntityId::new("e1").unwrap());
            let fetched = transport.fetch(request).await;
            fetched.inspect_err(|error| said.error(error)).ok();
        }
        for fault in faults() {
            server.fault(fault);
            let opened: Result<WakeupStream, _> = transport.wakeups().await;
            opened.inspect_err(|error| said.error(error)).map(drop).ok();
        }
    }
    said.holds_no_secret();
}
