//! Mistakes of the app: an error at the earliest moment, which names the offender and the remedy.

use std::error::Error;

use serde_json::json;
use sync_core::{
    ChangedFields, Column, ColumnType, Kind, Record, SyncConfig, SyncEngine, SyncEngineBuilder,
    SyncEntity, SyncError, SyncOptions, TableConfig, TableSchema,
};
use sync_rest::RestTransport;
use sync_sqlx::SqliteStore;
use tempfile::TempDir;

use crate::setup::{Label, NOTES, Note, device, entity, path_in, server_with_note};

/// An error with all its causes.
fn whole(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text.push_str(": ");
        text.push_str(&cause.to_string());
        source = cause.source();
    }
    text
}

fn assert_says(text: &str, parts: &[&str]) {
    for part in parts {
        assert!(text.contains(part), "{part:?} is not in: {text}");
    }
}

/// What the engine says to these tables and settings, on a file with these tables.
async fn refusal(
    sql: &'static str,
    fill: impl FnOnce(SyncEngineBuilder) -> SyncEngineBuilder,
) -> String {
    let folder: TempDir = tempfile::tempdir().unwrap();
    let store = SqliteStore::open(path_in(&folder)).await.unwrap();
    sqlx::raw_sql(sql).execute(store.pool()).await.unwrap();
    let transport = RestTransport::builder("http://127.0.0.1:9")
        .build()
        .unwrap();
    let builder = fill(SyncEngine::builder(store, transport));
    whole(&builder.build().await.unwrap_err())
}

fn todos() -> TableSchema {
    TableSchema::new(Kind::new("todos").unwrap(), "todos", "id")
        .column(Column::new("id", ColumnType::Text))
        .column(Column::new("title", ColumnType::Text))
}

#[test]
fn hazard_e20_an_empty_or_unsafe_kind_is_refused_by_name() {
    for kind in ["", "to dos", "todos/1", "ü", "a?b", "a#b", "..", "%41"] {
        assert_says(
            &whole(&Kind::new(kind).unwrap_err()),
            &["kind", &format!("{kind:?}"), "use letters"],
        );
    }
}

/// The kind is not url-safe, which a derive would not let pass.
#[derive(serde::Serialize, serde::Deserialize)]
struct Unsafe {
    id: String,
}

impl SyncEntity for Unsafe {
    const KIND: &'static str = "to dos";
    const TABLE: &'static str = "todos";

    fn schema() -> Result<TableSchema, sync_core::InvalidId> {
        Ok(TableSchema::new(Kind::new(Self::KIND)?, Self::TABLE, "id"))
    }

    fn create_table_sql() -> String {
        String::new()
    }

    fn entity_id(&self) -> String {
        self.id.clone()
    }
}

#[tokio::test]
async fn e2e_an_unsafe_kind_of_a_type_is_refused_when_the_engine_is_built() {
    let text = refusal("SELECT 1", |builder| builder.table::<Unsafe>()).await;
    assert_says(&text, &["\"to dos\""]);
}

#[tokio::test]
async fn e2e_a_kind_that_is_registered_twice_is_refused() {
    let text = refusal("SELECT 1", |builder| {
        builder.table::<Label>().table::<Label>()
    })
    .await;
    assert_says(&text, &["\"labels\"", "twice", "once"]);
}

#[tokio::test]
async fn e2e_an_engine_without_tables_is_refused() {
    let text = refusal("SELECT 1", |builder| builder).await;
    assert_says(&text, &["no table", "`table`"]);
}

#[tokio::test]
async fn e2e_a_table_that_is_missing_is_named() {
    let text = refusal("SELECT 1", |builder| builder.table::<Label>()).await;
    assert_says(&text, &["labels", "does not exist", "create it"]);
}

#[tokio::test]
async fn e2e_every_difference_of_a_table_is_named_in_one_error() {
    let sql = "CREATE TABLE notes (id TEXT NOT NULL PRIMARY KEY, title TEXT NOT NULL, \
               mood INTEGER, deleted_at TEXT); \
               CREATE TABLE labels (id TEXT PRIMARY KEY NOT NULL, updated_at TEXT)";
    let text = refusal(sql, |builder| builder.table::<Note>().table::<Label>()).await;
    assert_says(
        &text,
        &[
            "notes",
            "body",
            "energy",
            "pinned",
            "updated_at",
            "labels",
            "name",
        ],
    );
}

#[tokio::test]
async fn e2e_a_schema_without_its_id_is_refused() {
    let schema = TableSchema::new(Kind::new("todos").unwrap(), "todos", "id")
        .column(Column::new("title", ColumnType::Text));
    let text = refusal("CREATE TABLE todos (title TEXT)", |builder| {
        builder.schema(schema, TableConfig::new())
    })
    .await;
    assert_says(&text, &["todos", "\"id\"", "add it"]);
}

#[tokio::test]
async fn hazard_e20_an_unknown_kind_is_refused_when_written_and_when_asked_for() {
    let server = server_with_note().await;
    let here = device(&server).await;
    for kind in ["todos", "", "a b"] {
        let error = here.engine.records(kind).unwrap_err();
        assert!(matches!(error, SyncError::UnknownKind { .. }));
        assert_says(
            &error.to_string(),
            &[&format!("{kind:?}"), "builder", NOTES],
        );
    }
    let error = here.engine.writer::<Label>().unwrap_err();
    assert_says(&error.to_string(), &["\"labels\"", "builder", NOTES]);
    let options = SyncOptions::default().pull_kinds([Kind::new("todos").unwrap()]);
    let error = here.engine.sync_with(options).await.unwrap_err();
    assert_says(&error.to_string(), &["\"todos\"", NOTES]);
}

#[tokio::test]
async fn hazard_e49_an_entity_without_id_is_refused() {
    let server = server_with_note().await;
    let here = device(&server).await;
    for note in [
        json!({"title": "x"}),
        json!({"id": "", "title": "x"}),
        json!({"id": null, "title": "x"}),
    ] {
        let error = here
            .notes
            .insert(Record::try_from(note).unwrap())
            .await
            .unwrap_err();
        assert_says(&whole(&error), &["notes", "id"]);
    }
    let error = here
        .engine
        .writer::<Note>()
        .unwrap()
        .delete_and_enqueue("")
        .await
        .unwrap_err();
    assert_says(&whole(&error), &["id", "empty"]);
    assert_eq!(here.ops().await.len(), 0);
}

#[tokio::test]
async fn hazard_e61_a_changed_field_that_is_not_in_the_payload_is_refused() {
    let server = server_with_note().await;
    let here = device(&server).await;
    here.sync_fully().await;
    let record = Record::try_from(json!({"id": "n1", "mood": 5})).unwrap();
    let changed: ChangedFields = ["mood", "moodScore"].into_iter().collect();
    let error = here.notes.change(record, &changed).await.unwrap_err();
    assert_says(
        &error.to_string(),
        &["\"moodScore\"", "notes/n1", "JSON name"],
    );
    assert_eq!(here.ops().await.len(), 0);
    assert_eq!(here.row("n1").await.unwrap()["mood"], 3);
}

#[tokio::test]
async fn hazard_e19_an_update_of_a_missing_row_is_refused() {
    let server = server_with_note().await;
    let here = device(&server).await;
    here.sync_fully().await;
    here.delete("n1").await;
    for id in ["n1", "n9"] {
        let record = Record::try_from(json!({"id": id, "title": "x"})).unwrap();
        let error = here.notes.replace(record).await.unwrap_err();
        assert!(matches!(error, SyncError::NotFound { .. }));
        assert_says(&error.to_string(), &[&format!("notes/{id}"), "insert"]);
    }
    assert!(!here.notes.delete(&entity("n9")).await.unwrap());
}

#[tokio::test]
async fn e2e_an_insert_of_an_existing_row_is_refused() {
    let server = server_with_note().await;
    let here = device(&server).await;
    here.sync_fully().await;
    let error = here.try_create("n1", json!({})).await.unwrap_err();
    assert!(matches!(error, SyncError::AlreadyExists { .. }));
    assert_says(&error.to_string(), &["notes/n1", "replace"]);
}

#[tokio::test]
async fn e2e_a_row_that_its_table_refuses_is_neither_written_nor_queued() {
    let server = server_with_note().await;
    let here = device(&server).await;
    here.sync_fully().await;
    let error = here
        .try_create("n2", json!({"title": null}))
        .await
        .unwrap_err();
    assert_says(&whole(&error), &["notes/n2", "title"]);
    let error = here
        .try_create("n2", json!({"mood": "good"}))
        .await
        .unwrap_err();
    assert_says(&whole(&error), &["notes/n2", "mood"]);
    let changed: ChangedFields = ["title"].into_iter().collect();
    let record = Record::try_from(json!({"id": "n1", "title": null})).unwrap();
    let error = here.notes.change(record, &changed).await.unwrap_err();
    assert_says(&whole(&error), &["notes/n1", "title"]);
    assert_eq!(here.ops().await.len(), 0);
    assert_eq!(here.row("n2").await, None);
    assert_eq!(here.row("n1").await.unwrap()["title"], "Old");
}

#[tokio::test]
async fn hazard_e43_settings_that_cannot_work_are_all_named() {
    let config = SyncConfig::default()
        .with_page_size(0)
        .with_max_retries(0)
        .with_pull_concurrency(0);
    let text = refusal("SELECT 1", |builder| {
        builder.table::<Label>().config(config)
    })
    .await;
    assert_says(
        &text,
        &["page_size", "max_retries", "pull_concurrency", "at least 1"],
    );
    let text = refusal("SELECT 1", |builder| {
        builder.schema(todos(), TableConfig::new().page_size(0))
    })
    .await;
    assert_says(&text, &["todos", "page_size"]);
}

#[test]
fn e2e_a_base_url_without_a_scheme_is_refused() {
    for url in ["example.org/api", "localhost:8080", "", "ftp://example.org"] {
        let error = RestTransport::builder(url).build().unwrap_err();
        assert_says(&whole(&error), &["base URL", "scheme", "https://"]);
    }
}

#[tokio::test]
async fn e2e_a_file_that_is_no_database_is_named() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(
        path_in(&folder),
        "this is not a database, only some text of a good length",
    )
    .unwrap();
    let error = SqliteStore::open(path_in(&folder)).await.unwrap_err();
    assert_says(&whole(&error), &["app.db"]);
}
