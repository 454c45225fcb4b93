//! `prepare` checks the user's tables and never touches them.

use sync_core::store::{Store, StoreErrorKind};
use sync_core::{Column, ColumnType, Kind, TableSchema};

use crate::common::{Fixture, TODOS, bare, schema};

fn table(name: &str) -> TableSchema {
    TableSchema::new(Kind::new(name).unwrap(), name, "id")
        .column(Column::new("id", ColumnType::Text))
}

async fn differences(fixture: &Fixture, tables: &[TableSchema]) -> String {
    let error = fixture.store.prepare(tables).await.unwrap_err();
    assert_eq!(error.kind(), StoreErrorKind::Schema);
    error.to_string()
}

#[tokio::test]
async fn every_difference_of_all_tables_is_in_one_error() {
    let fixture = bare().await;
    fixture.sql(
        "CREATE TABLE a (id TEXT, n TEXT, t INTEGER NOT NULL, secret TEXT NOT NULL, g TEXT AS (n) STORED);
         CREATE VIEW v AS SELECT id FROM a;",
    ).await;
    let a = table("a")
        .column(Column::new("n", ColumnType::Integer))
        .column(Column::new("t", ColumnType::Text).nullable())
        .column(Column::new("missing", ColumnType::Real).nullable())
        .column(Column::new("g", ColumnType::Text).nullable())
        .extra("more");
    let message = differences(&fixture, &[a, table("nowhere"), table("v")]).await;
    for part in [
        "table `a`: column `id` holds the id but is not unique",
        "table `a`: column `n` is declared `TEXT`, which does not keep every Integer value; declare it INTEGER",
        "table `a`: column `t` is declared `INTEGER`",
        "table `a`: column `t` is NOT NULL but its field may be null",
        "table `a`: column `missing` is missing; add it: missing REAL",
        "table `a`: column `g` is generated",
        "table `a`: column `more` for further fields is missing",
        "table `a`: column `secret` stays on this device",
        "table `nowhere`: does not exist",
        "table `v`: is a view",
    ] {
        assert!(message.contains(part), "{part}\nnot in\n{message}");
    }
}

#[tokio::test]
async fn a_local_only_column_needs_null_or_a_default() {
    let fixture = bare().await;
    fixture.sql("CREATE TABLE a (id TEXT PRIMARY KEY, x TEXT NOT NULL, y TEXT NOT NULL DEFAULT '', z TEXT)").await;
    let local = |name: &str| Column::new(name, ColumnType::Text).local_only();
    let message = differences(
        &fixture,
        &[table("a")
            .column(local("x"))
            .column(local("y"))
            .column(local("z"))],
    )
    .await;
    assert!(
        message.contains("column `x`") && !message.contains("`y`") && !message.contains("`z`"),
        "{message}"
    );
}

#[tokio::test]
async fn the_usual_names_of_types_are_accepted() {
    let fixture = bare().await;
    fixture.sql(TODOS).await;
    fixture.sql(
        "CREATE TABLE a (id UUID NOT NULL UNIQUE, n BIGINT, b BOOL, r DOUBLE PRECISION, d DECIMAL(10,2),
            t TIMESTAMP, day DATE, j JSONB, x BLOB, v NVARCHAR(9), untyped)",
    ).await;
    let column = |name: &str, ty| Column::new(name, ty).nullable();
    let a = table("a")
        .column(column("n", ColumnType::Integer))
        .column(column("b", ColumnType::Boolean))
        .column(column("r", ColumnType::Real))
        .column(column("d", ColumnType::Real))
        .column(column("t", ColumnType::Timestamp))
        .column(column("day", ColumnType::Text))
        .column(column("j", ColumnType::Json))
        .column(column("x", ColumnType::Blob))
        .column(column("V", ColumnType::Text))
        .column(column("untyped", ColumnType::Text));
    fixture.store.prepare(&[schema(), a]).await.unwrap();
}

#[tokio::test]
async fn a_column_that_would_change_values_is_refused() {
    let fixture = bare().await;
    fixture
        .sql("CREATE TABLE a (id STRING PRIMARY KEY, n REAL, f INT, t INTEGER)")
        .await;
    let a = table("a")
        .column(Column::new("n", ColumnType::Integer))
        .column(Column::new("f", ColumnType::Real))
        .column(Column::new("t", ColumnType::Timestamp));
    let message = differences(&fixture, &[a]).await;
    for name in ["`id`", "`n`", "`f`", "`t`"] {
        assert!(
            message.contains(&format!("column {name} is declared")),
            "{name}: {message}"
        );
    }
}

#[tokio::test]
async fn uniqueness_by_a_partial_or_a_wider_index_is_not_enough() {
    let fixture = bare().await;
    fixture
        .sql(
            "CREATE TABLE a (id TEXT, x TEXT, PRIMARY KEY (id, x));
         CREATE TABLE b (id TEXT); CREATE UNIQUE INDEX b_id ON b (id) WHERE id > 'a';
         CREATE TABLE c (id TEXT); CREATE UNIQUE INDEX c_id ON c (id);",
        )
        .await;
    let message = differences(&fixture, &[table("a"), table("b")]).await;
    assert_eq!(message.matches("is not unique").count(), 2, "{message}");
    fixture.store.prepare(&[table("c")]).await.unwrap();
}

#[tokio::test]
async fn a_kind_that_is_given_twice_is_a_difference() {
    let fixture = bare().await;
    fixture.sql("CREATE TABLE a (id TEXT PRIMARY KEY)").await;
    let message = differences(&fixture, &[table("a"), table("a")]).await;
    assert!(message.contains("kind `a` is given twice"), "{message}");
}

#[tokio::test]
async fn preparing_again_changes_nothing_and_leaves_the_apps_migrations_alone() {
    let fixture = bare().await;
    fixture.sql("CREATE TABLE _sqlx_migrations (version BIGINT PRIMARY KEY); INSERT INTO _sqlx_migrations VALUES (7)").await;
    fixture.sql(TODOS).await;
    let user_schema = "SELECT sql FROM sqlite_schema WHERE name NOT LIKE '%sync%' AND name <> 'sqlite_sequence' ORDER BY name";
    let before = fixture.texts(user_schema).await;
    fixture.store.prepare(&[schema()]).await.unwrap();
    let all = fixture
        .texts("SELECT sql FROM sqlite_schema ORDER BY name")
        .await;
    fixture.store.prepare(&[schema()]).await.unwrap();
    assert_eq!(
        fixture
            .texts("SELECT sql FROM sqlite_schema ORDER BY name")
            .await,
        all
    );
    assert_eq!(fixture.texts(user_schema).await, before);
    assert_eq!(
        fixture
            .scalar("SELECT max(version) FROM _sqlx_migrations")
            .await,
        7
    );
    assert_eq!(
        fixture
            .scalar(
                "SELECT count(*) = max(version) AND (SELECT value FROM sync_meta WHERE key = \
                 'format') = max(version) FROM _sync_migrations"
            )
            .await,
        1
    );
}

#[tokio::test]
async fn a_failed_check_leaves_the_file_as_it_was() {
    let fixture = bare().await;
    differences(&fixture, &[table("nowhere")]).await;
    assert_eq!(
        fixture.scalar("SELECT count(*) FROM sqlite_schema").await,
        0
    );
}

#[tokio::test]
async fn a_file_of_a_newer_version_is_refused() {
    let fixture = bare().await;
    fixture.store.prepare(&[]).await.unwrap();
    fixture
        .sql("INSERT INTO _sync_migrations (version) VALUES (999)")
        .await;
    let error = fixture.store.prepare(&[]).await.unwrap_err();
    assert_eq!(error.kind(), StoreErrorKind::Open);
    assert!(
        error.to_string().contains("format 999") && error.to_string().contains("update the app"),
        "{error}"
    );
}
