//! The `CREATE TABLE` statement.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use sync_core::SyncEntity;

#[derive(Serialize, Deserialize, SyncEntity)]
#[sync(kind = "todos")]
struct Todo {
    id: String,
    title: String,
    done: bool,
    weight: Option<f64>,
    tags: Vec<String>,
    #[serde(rename = "dueDate")]
    due_date: Option<DateTime<Utc>>,
    #[sync(local_only)]
    is_open: Option<bool>,
}

#[test]
fn the_statement_creates_each_column_with_its_type_and_nullability() {
    assert_eq!(
        Todo::create_table_sql(),
        r#"CREATE TABLE IF NOT EXISTS "todos" (
  "id" TEXT NOT NULL PRIMARY KEY,
  "title" TEXT NOT NULL,
  "done" INTEGER NOT NULL,
  "weight" REAL,
  "tags" TEXT NOT NULL,
  "due_date" TEXT,
  "is_open" INTEGER
)"#
    );
}

#[test]
fn names_are_quoted_so_that_keywords_and_quotes_are_names() {
    #[derive(Serialize, Deserialize, SyncEntity)]
    #[sync(kind = "odd", table = "the \"order\"")]
    struct Odd {
        #[sync(column = "select")]
        id: String,
        #[sync(column = "a\"b")]
        quoted: i64,
    }
    let sql = Odd::create_table_sql();
    assert!(
        sql.starts_with(r#"CREATE TABLE IF NOT EXISTS "the ""order""" ("#),
        "{sql}"
    );
    assert!(
        sql.contains(r#""select" TEXT NOT NULL PRIMARY KEY"#),
        "{sql}"
    );
    assert!(sql.contains(r#""a""b" INTEGER NOT NULL"#), "{sql}");
}
