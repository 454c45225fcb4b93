//! Kinds that refer to each other: who goes first, who waits, and what is told of it.

use serde_json::json;
use sync_core::{Column, ColumnType, MemoryStore, SyncEngine, SyncError, TableConfig, TableSchema};

use crate::family::{Family, Home, id, kind, table};

async fn built(tables: Vec<(TableSchema, TableConfig)>) -> Result<SyncEngine, SyncError> {
    let builder = SyncEngine::builder(MemoryStore::new(), Home::default());
    let tables = tables.into_iter();
    let builder = tables.fold(builder, |builder, (schema, config)| {
        builder.schema(schema, config)
    });
    builder.build().await
}

fn referring(field: &str, kind: &str) -> TableConfig {
    TableConfig::new().references(field, kind)
}

#[tokio::test]
async fn a_circle_between_kinds_is_refused_and_named() {
    let error = built(vec![
        (table("lists", &["owner"]), referring("owner", "people")),
        (table("people", &["todo"]), referring("todo", "todos")),
        (table("todos", &["list"]), referring("list", "lists")),
    ])
    .await
    .unwrap_err()
    .to_string();
    assert!(
        error.contains("lists -> people -> todos -> lists"),
        "{error}"
    );
}

#[tokio::test]
async fn what_a_reference_names_must_be_there_and_hold_an_id() {
    let local = Column::new("here", ColumnType::Text)
        .nullable()
        .local_only();
    let todos = table("todos", &[])
        .column(local)
        .column(Column::new("json", ColumnType::Json).nullable());
    let config = referring("list", "lists")
        .references("here", "todos")
        .references("json", "todos");
    let error = built(vec![(todos, config)]).await.unwrap_err().to_string();
    for part in [
        "todos: the reference \"list\" is no field",
        "refers to kind \"lists\", which is not registered",
        "\"here\" of table \"todos\" stays on this device",
        "\"json\" of table \"todos\" is of type Json",
    ] {
        assert!(error.contains(part), "{part} is not in {error}");
    }
}

// -- sending -----------------------------------------------------------------------------------

#[tokio::test]
async fn a_parent_is_created_before_its_child_whichever_was_written_first() {
    let family = Family::new().await;
    family.todo("t1", "l2").await;
    family.list("l2").await;
    let report = family.sync().await;
    assert_eq!(family.home.pushed(), ["put l2", "put t1"]);
    assert_eq!((report.stats.pushed, report.pending), (2, 0));
}

#[tokio::test]
async fn parents_go_first_over_pages_and_in_batches() {
    for batch in [1, 2, 100] {
        let home = Home::default();
        home.takes_batches_of(batch);
        let family = Family::at(home, 2).await;
        for number in 0..7 {
            family.todo(&format!("t{number}"), "l").await;
        }
        family.list("l").await;
        assert_eq!(family.sync().await.pending, 0);
        let pushed = family.home.pushed();
        assert_eq!((pushed.len(), &*pushed[0]), (8, "put l"), "{pushed:?}");
    }
}

#[tokio::test]
async fn a_tree_goes_from_its_root_on() {
    let home = Home::default();
    home.takes_batches_of(10);
    let family = Family::at(home, 2).await;
    family.folder("c", Some("b")).await;
    family.folder("b", Some("a")).await;
    family.folder("a", None).await;
    assert_eq!(family.sync().await.pending, 0);
    assert_eq!(family.home.pushed(), ["put a", "put b", "put c"]);
}

#[tokio::test]
async fn rows_that_are_each_others_parents_go_all_the_same() {
    let family = Family::new().await;
    family.folder("a", Some("b")).await;
    family.folder("b", Some("a")).await;
    family.folder("self", Some("self")).await;
    assert_eq!(family.sync().await.pending, 0);
    assert_eq!(family.home.pushed(), ["put self", "put a", "put b"]);
}

#[tokio::test]
async fn a_parent_that_is_deleted_and_made_again_is_waited_for() {
    let family = Family::new().await;
    family.list("l").await;
    family.sync().await;
    family.delete("lists", "l").await;
    family.sync().await;
    family.home.pushed();
    family.todo("t", "l").await;
    family.list("l").await;
    family.sync().await;
    assert_eq!(family.home.pushed(), ["put l", "put t"]);
}

#[tokio::test]
async fn an_edit_of_a_parent_that_the_server_has_holds_nobody_up() {
    let family = Family::new().await;
    family.list("l").await;
    family.sync().await;
    family.home.pushed();
    family.todo("t", "l").await;
    family
        .replace("lists", json!({"id": "l", "name": "M"}))
        .await;
    family.sync().await;
    assert_eq!(family.home.pushed(), ["put t", "put l"]);
}

#[tokio::test]
async fn a_parent_is_deleted_after_its_children() {
    let family = Family::new().await;
    family.list("l").await;
    family.todo("t1", "l").await;
    family.todo("t2", "l").await;
    family.sync().await;
    family.home.pushed();
    family.delete("lists", "l").await;
    family.delete("todos", "t1").await;
    let moved = json!({"id": "t2", "title": "T", "list_id": null});
    family.replace("todos", moved).await;
    assert_eq!(family.sync().await.pending, 0);
    assert_eq!(family.home.pushed(), ["delete t1", "put t2", "delete l"]);
}

#[tokio::test]
async fn a_tree_is_deleted_from_its_leaves_on() {
    let family = Family::new().await;
    family.folder("a", None).await;
    family.folder("b", Some("a")).await;
    family.folder("c", Some("b")).await;
    family.sync().await;
    family.home.pushed();
    for folder in ["a", "b", "c"] {
        family.delete("folders", folder).await;
    }
    assert_eq!(family.sync().await.pending, 0);
    assert_eq!(family.home.pushed(), ["delete c", "delete b", "delete a"]);
}

// -- blocked -----------------------------------------------------------------------------------

#[tokio::test]
async fn a_child_of_a_stuck_creation_is_blocked_by_it_and_nothing_counts() {
    let family = Family::new().await;
    family.home.refuses("l");
    family.list("l").await;
    family.todo("t", "l").await;
    family.todo("free", "elsewhere").await;
    family.home.has("lists", json!({"id": "elsewhere"}));
    for _ in 0..2 {
        family.sync().await;
    }
    assert_eq!(family.home.pushed(), ["put l", "put free"]);
    assert_eq!(family.blocked().await, [("t".to_owned(), "l".to_owned())]);
    let ops = family.ops().await;
    let waiting = ops.iter().find(|op| op.entity_id == id("t")).unwrap();
    assert_eq!((waiting.try_count, waiting.trouble_count), (0, 0));
    let by = family
        .engine
        .outbox()
        .blocked_by(&waiting.op_id)
        .await
        .unwrap();
    assert_eq!(by.unwrap().entity_id, id("l"));

    family.home.refuses_nothing();
    family
        .engine
        .outbox()
        .retry(&kind("lists"), &id("l"))
        .await
        .unwrap();
    assert_eq!(family.blocked().await, []);
    assert_eq!(family.sync().await.pending, 0);
    assert_eq!(family.home.pushed(), ["put l", "put t"]);
}

#[tokio::test]
async fn a_grandchild_is_blocked_by_what_stands_in_the_way_of_all() {
    let family = Family::new().await;
    family.home.refuses("a");
    family.folder("a", None).await;
    family.folder("b", Some("a")).await;
    family.folder("c", Some("b")).await;
    family.sync().await;
    let by = |child: &str| (child.to_owned(), "a".to_owned());
    assert_eq!(family.blocked().await, [by("b"), by("c")]);
}

#[tokio::test]
async fn a_deletion_is_blocked_by_a_childs_stuck_operation() {
    let family = Family::new().await;
    family.list("l").await;
    family.todo("t", "l").await;
    family.sync().await;
    family.home.refuses("t");
    let moved = json!({"id": "t", "title": "T", "list_id": null});
    family.replace("todos", moved).await;
    family.delete("lists", "l").await;
    family.sync().await;
    family.home.pushed();
    family.sync().await;
    assert_eq!(family.home.pushed(), Vec::<String>::new());
    assert_eq!(family.blocked().await, [("l".to_owned(), "t".to_owned())]);
}

#[tokio::test]
async fn a_child_of_nobody_is_blocked_until_a_pull_brings_its_parent() {
    let family = Family::new().await;
    family.todo("t", "l").await;
    family.sync().await;
    assert_eq!(family.home.pushed(), Vec::<String>::new());
    let missing = ("t".to_owned(), "missing l".to_owned());
    assert_eq!(family.blocked().await, [missing]);
    family.home.has("lists", json!({"id": "l"}));
    family.sync().await;
    assert_eq!(family.sync().await.pending, 0);
    assert_eq!(family.home.pushed(), ["put t"]);
}

#[tokio::test]
async fn a_child_of_a_creation_that_was_taken_back_is_blocked() {
    let family = Family::new().await;
    family.list("l").await;
    family.todo("t", "l").await;
    // Created and deleted before anything was sent: both vanish.
    family.delete("lists", "l").await;
    family.sync().await;
    assert_eq!(family.home.pushed(), Vec::<String>::new());
    let missing = ("t".to_owned(), "missing l".to_owned());
    assert_eq!(family.blocked().await, [missing]);
}

// -- discarding --------------------------------------------------------------------------------

#[tokio::test]
async fn a_creation_that_others_need_is_not_discarded_alone() {
    let family = Family::new().await;
    family.list("l").await;
    family.todo("t", "l").await;
    let refused = family
        .engine
        .outbox()
        .discard(&kind("lists"), &id("l"))
        .await
        .unwrap();
    assert_eq!(refused.dependants, [(kind("todos"), id("t"))]);
    assert_eq!((refused.op_ids.len(), family.ops().await.len()), (0, 2));

    let gone = family
        .engine
        .outbox()
        .discard_with_dependants(&kind("lists"), &id("l"))
        .await
        .unwrap();
    let names: Vec<String> = gone.iter().map(|(_, id, _)| id.to_string()).collect();
    assert_eq!(names, ["t", "l"]);
    assert_eq!(family.ops().await, []);
    assert_eq!(family.rows("todos"), Vec::<String>::new());
    assert_eq!(family.rows("lists"), Vec::<String>::new());
}

#[tokio::test]
async fn dependants_of_dependants_are_found_unless_the_server_has_what_is_between() {
    let family = Family::new().await;
    family.folder("old", None).await;
    family.folder("kept", Some("old")).await;
    family.sync().await;
    family.folder("a", None).await;
    family.folder("b", Some("a")).await;
    family.folder("c", Some("b")).await;
    // What lies in `old` stays there if only the move of `old` is given up.
    let moved = |name: &str, parent| json!({"id": name, "name": "N", "parent_id": parent});
    family.replace("folders", moved("old", "a")).await;
    let renamed = json!({"id": "kept", "name": "M", "parent_id": "old"});
    family.replace("folders", renamed).await;
    let refused = family
        .engine
        .outbox()
        .discard(&kind("folders"), &id("a"))
        .await;
    let mut names: Vec<String> = refused
        .unwrap()
        .dependants
        .into_iter()
        .map(|(_, id)| id.to_string())
        .collect();
    names.sort();
    assert_eq!(names, ["b", "c", "old"]);
}

#[tokio::test]
async fn discarding_what_is_stuck_leaves_a_creation_that_others_need() {
    let family = Family::new().await;
    family.home.refuses("l");
    family.home.refuses("other");
    family.list("l").await;
    family.todo("t", "l").await;
    family.list("other").await;
    family.sync().await;
    let all = family.engine.outbox().discard_stuck().await.unwrap();
    let told: Vec<(String, usize, usize)> = all
        .iter()
        .map(|(_, id, own)| (id.to_string(), own.op_ids.len(), own.dependants.len()))
        .collect();
    assert_eq!(told, [("l".to_owned(), 0, 1), ("other".to_owned(), 1, 0)]);
    assert_eq!(family.ops().await.len(), 2);
    let all = family
        .engine
        .outbox()
        .discard_stuck_with_dependants()
        .await
        .unwrap();
    assert_eq!((all.len(), family.ops().await.len()), (2, 0));
}
